"""The Kafka benchmark measures what it promises, here at a tiny size and once; never how fast anything is."""

from benchmarks import kafka


def test_the_kafka_benchmark_gives_the_promised_figures(address):
    result = kafka.measure(address, 5_000, 1, customers=300, loading=False)
    assert set(result["facts_per_s"]) == set(result["ratio"]) == set(result["cpu_s_per_million"])
    assert all(rate > 0 for rate in result["facts_per_s"].values())
    assert {name for name, ratio in result["ratio"].items() if ratio == 1} >= {"json, bare", "avro, bare"}
    assert result["message_bytes"]["avro"] < result["message_bytes"]["json"]
    assert "run, avro" in kafka.report(result)

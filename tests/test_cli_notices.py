from __future__ import annotations

import logging

from sim.cli.terminal import notices


def test_a_warning_of_a_sink_is_shown_once(capsys):
    notices.show()
    for _ in range(2):
        logging.getLogger("datagen.sinks").warning("topic %r keeps a week", "order")
    assert capsys.readouterr().err == "datagen: warning: topic 'order' keeps a week\n"


def test_what_the_client_library_says_is_not_shown(capsys):
    notices.show()
    logging.getLogger("datagen.sinks.kafka").warning("connect failed")
    logging.getLogger("datagen.sinks").info("no controller")
    assert capsys.readouterr().err == ""

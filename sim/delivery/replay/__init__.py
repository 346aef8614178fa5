"""Recorded facts, played again.

clock      columns that hold instants: any type to microseconds, and moving them
reading    a stream's rows in Parquet files, row group by row group, each in order of time
lanes      row groups that follow each other in time, read in chunks; many of them merged into windows
recording  what was recorded: its streams, its interval, its windows, with memory that does not grow with it
naming     which columns are time, key and id
footers    what the footers of Parquet files tell
folder     Parquet files and folders as recordings, datagen's own and anybody's
manifests  what datagen says of a folder that it has written
tables     CSV files as recordings, by way of Parquet
columns    what becomes known of the columns of messages
gathering  what becomes a stream of the records of a topic: their files, columns, keys and ids
records    messages with JSON values as recordings
rows       messages with a schema as recordings
rekeying   further copies of entities: ids and keys that nobody has yet
playing    time shift, passes, copies, jitter: a recording as the batches of a run
blend      several flows of batches as one
"""

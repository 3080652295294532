-- What is added to the empty database that dynoxide makes itself.

-- Dynoxide keeps the changes of all streams in one table without an index, and
-- reads all of it, images included, at every write and every GetRecords of a
-- table with a stream.
CREATE INDEX stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER));

-- Dynoxide never removes a change; AWS does after 24 hours. Here it is a week,
-- so that a stack that was off for some days loses nothing. The change that is
-- written now stays: the next sequence number is counted from it.
CREATE INDEX stream_age ON _stream_records (table_name, created_at);
CREATE TRIGGER stream_retention AFTER INSERT ON _stream_records BEGIN
DELETE FROM _stream_records WHERE table_name = NEW.table_name AND created_at < NEW.created_at - 604800;
END;

-- How the program knows a database that has these.
PRAGMA user_version = 1;

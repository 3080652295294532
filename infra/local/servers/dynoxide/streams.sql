-- Additions to the empty database that dynoxide makes itself.

-- Dynoxide keeps the changes of all streams in one table without an index. It reads the whole
-- table, with all images, at every write to a table with a stream and at every GetRecords.
CREATE INDEX stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER));

-- Dynoxide never removes a change. AWS removes it after 24 hours. Here it is removed after a
-- week, so that a stack that was off for some days loses nothing. The trigger keeps the newest
-- change, because the next sequence number is counted from it.
CREATE INDEX stream_age ON _stream_records (table_name, created_at);
CREATE TRIGGER stream_retention AFTER INSERT ON _stream_records BEGIN
DELETE FROM _stream_records WHERE table_name = NEW.table_name AND created_at < NEW.created_at - 604800;
END;

-- By this number the program recognises a database with these additions.
PRAGMA user_version = 1;

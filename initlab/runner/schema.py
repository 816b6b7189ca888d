"""The tables of results/<experiment>/runs.sqlite, which any SQLite tool opens.

setting     what runs share: an identity without its seed, as JSON, by its SHA-256 digest
record      a row for each run, which depends on the run alone; losses are little-endian numbers of the
            setting's train.dtype, tracked layers JSON, and the checksum a SHA-256 digest of all of them;
            seeds from 2^63 on, which SQLite does not have as numbers, are texts
training    when a run was trained, how long its cohort took, and in which session of provenance.json
note        what a person wrote about a run
runs        a view for people: settings and results of each run
curves      a view for people: the loss of each step of each run

sqlite3 runs.sqlite "SELECT id, test_accuracy FROM runs WHERE outcome = 'finished'"
"""

# Raised when the tables change; a newer file is refused, an older one is taken over.
VERSION = 1
TABLES = f"""
PRAGMA user_version = {VERSION};
CREATE TABLE setting (digest BLOB PRIMARY KEY, text TEXT) WITHOUT ROWID;
CREATE TABLE record (
    id TEXT PRIMARY KEY, setting BLOB, seed, outcome TEXT, diverged_at INTEGER, final_loss REAL,
    test_loss REAL, test_accuracy REAL, batches_before INTEGER, cause TEXT, losses BLOB, tracked TEXT,
    checksum BLOB
) WITHOUT ROWID;
CREATE TABLE training (id TEXT PRIMARY KEY, session TEXT, finished TEXT, cohort_seconds REAL) WITHOUT ROWID;
CREATE TABLE note (id TEXT PRIMARY KEY, words TEXT) WITHOUT ROWID;
CREATE VIEW runs AS
    SELECT id, outcome, diverged_at, final_loss, test_loss, test_accuracy, seed, cause, words AS note,
        text AS settings
    FROM record JOIN setting ON setting = digest LEFT JOIN note USING (id);
CREATE VIEW curves AS
    WITH RECURSIVE
        wide(id, losses, size) AS (
            SELECT id, losses, CASE json_extract(text, '$.train.dtype') WHEN 'float64' THEN 8 ELSE 4 END
            FROM record JOIN setting ON setting = digest WHERE length(losses) > 0
        ),
        -- The bytes of a number, the last one first: sign, exponent, fraction.
        step(id, losses, size, step, hex) AS (
            SELECT id, losses, size, 0, hex(substr(losses, 1, size)) FROM wide
            UNION ALL
            SELECT id, losses, size, step + 1, hex(substr(losses, (step + 1) * size + 1, size)) FROM step
            WHERE (step + 2) * size <= length(losses)
        ),
        byte(id, size, step, hex, at, bits) AS (
            SELECT id, size, step, hex, size, 0 FROM step
            UNION ALL
            SELECT id, size, step, hex, at - 1,
                (bits << 8) + (instr('123456789ABCDEF', substr(hex, 2 * at - 1, 1)) << 4)
                + instr('123456789ABCDEF', substr(hex, 2 * at, 1))
            FROM byte WHERE at > 0
        ),
        part(id, step, negative, exponent, fraction, digits, bias) AS (
            SELECT id, step, (bits >> (8 * size - 1)) & 1,
                CASE size WHEN 4 THEN (bits >> 23) & 255 ELSE (bits >> 52) & 2047 END,
                CASE size WHEN 4 THEN bits & 8388607 ELSE bits & 4503599627370495 END,
                CASE size WHEN 4 THEN 23 ELSE 52 END,
                CASE size WHEN 4 THEN 127 ELSE 1023 END
            FROM byte WHERE at = 0
        )
    SELECT id, step,
        CASE WHEN exponent = 2 * bias + 1 THEN NULL ELSE
            (1 - 2 * negative) * (fraction + CASE exponent WHEN 0 THEN 0 ELSE 1 << digits END)
            * pow(2.0, max(exponent, 1) - bias - digits) END AS loss
    FROM part;
"""

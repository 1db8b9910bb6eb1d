-- What version 3 adds: who steered by hand, and which destinations rest on somebody's word.

ALTER TABLE transitions ADD COLUMN actor TEXT; -- none: refgate itself

ALTER TABLE orders ADD COLUMN proof TEXT;      -- JSON: what shows that the visit bought
ALTER TABLE orders ADD COLUMN shopper TEXT;    -- JSON: keyed hashes of who looked, while it is open
CREATE INDEX orders_open ON orders (open_until) WHERE open_until IS NOT NULL;

-- What was done to more than one order's story: a pause, a ledger accepted, orders imported.
CREATE TABLE actions (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL,
  verb    TEXT NOT NULL,
  subject TEXT,
  reason  TEXT
) STRICT;
CREATE INDEX actions_by_at ON actions (at);

-- Destinations to which nothing is sent until somebody says so.
CREATE TABLE pauses (
  destination TEXT PRIMARY KEY,
  at          INTEGER NOT NULL,
  actor       TEXT NOT NULL,          -- refgate itself, or who said so
  reason      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Orders that are known without their row: imported, or older than the retention.
CREATE TABLE known_orders (
  namespace TEXT NOT NULL,
  mark      TEXT NOT NULL,            -- HMAC-SHA-256 of the id, hexadecimal
  at        INTEGER NOT NULL,
  source    TEXT NOT NULL CHECK (source IN ('imported', 'retired')),
  PRIMARY KEY (namespace, mark)
) STRICT, WITHOUT ROWID;

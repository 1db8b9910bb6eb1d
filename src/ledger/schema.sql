-- The ledger's tables, version 1; later versions add theirs. Every state and table of the first release
-- stands here, also those that nothing fills yet. Times are milliseconds since
-- 1970-01-01T00:00:00Z, amounts exact decimals as text, lists and maps JSON.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,             -- ledger_id, created_at, accepted_at, runs, probed_at
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
  id         INTEGER PRIMARY KEY,
  namespace  TEXT NOT NULL,
  number     TEXT NOT NULL,           -- the shop's order id
  at         INTEGER NOT NULL,        -- first seen
  store      TEXT NOT NULL,
  rule       TEXT NOT NULL,
  amount     TEXT,
  currency   TEXT,
  working    TEXT,
  standing   TEXT NOT NULL CHECK (standing IN ('credited', 'organic', 'held')),
  doubt      TEXT,
  why        TEXT NOT NULL,
  network    TEXT,
  click      TEXT,                    -- JSON
  visit      TEXT,
  open_until INTEGER,                 -- an organic order may be credited until then
  seen       INTEGER NOT NULL,        -- sightings, kept or not
  UNIQUE (namespace, number),
  CHECK ((amount IS NULL) = (currency IS NULL)),
  CHECK ((standing = 'held') = (doubt IS NOT NULL))
) STRICT;
CREATE INDEX orders_by_at ON orders (at);
CREATE INDEX orders_by_number ON orders (number);

-- Every id of an order, its first one among them, so that no id means two orders.
CREATE TABLE aliases (
  namespace TEXT NOT NULL,
  number    TEXT NOT NULL,
  order_id  INTEGER NOT NULL REFERENCES orders (id),
  PRIMARY KEY (namespace, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_order ON aliases (order_id);
CREATE INDEX aliases_by_number ON aliases (number);

CREATE TABLE sightings (
  id       INTEGER PRIMARY KEY,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  at       INTEGER NOT NULL,
  rule     TEXT NOT NULL,
  body     TEXT NOT NULL,             -- JSON
  notes    TEXT NOT NULL              -- JSON: what contradicts the order
) STRICT;
CREATE INDEX sightings_by_order ON sightings (order_id);

CREATE TABLE postbacks (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id    INTEGER NOT NULL REFERENCES orders (id),
  destination TEXT NOT NULL,
  event       TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  captured    TEXT NOT NULL,          -- JSON: the click's values
  amount      TEXT,
  currency    TEXT,
  state       TEXT NOT NULL CHECK (state IN
    ('due', 'sending', 'accepted', 'duplicate', 'rejected', 'unclear', 'dead', 'held')),
  doubt       TEXT,
  cause       TEXT,
  at          INTEGER NOT NULL,
  due         INTEGER,
  lease       INTEGER,                -- claimed, or under way, until then
  attempts    INTEGER NOT NULL DEFAULT 0,
  spent       INTEGER NOT NULL DEFAULT 0, -- attempts before the last resend
  UNIQUE (order_id, destination, event, sequence),
  CHECK ((amount IS NULL) = (currency IS NULL)),
  CHECK ((state = 'due') = (due IS NOT NULL)),
  CHECK (state = 'held' OR doubt IS NULL)
) STRICT;
CREATE INDEX postbacks_due ON postbacks (due, id) WHERE state = 'due';
CREATE INDEX postbacks_leased ON postbacks (state, lease) WHERE lease IS NOT NULL;
CREATE INDEX postbacks_by_state ON postbacks (state, id);

CREATE TABLE attempts (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  postback_id INTEGER NOT NULL REFERENCES postbacks (id),
  begun       INTEGER NOT NULL,
  url         TEXT NOT NULL,          -- secrets masked
  ended       INTEGER,
  status      INTEGER,
  words       TEXT,
  verdict     TEXT,
  CHECK ((ended IS NULL) = (verdict IS NULL))
) STRICT;
CREATE INDEX attempts_by_postback ON attempts (postback_id);
CREATE UNIQUE INDEX attempts_open ON attempts (postback_id) WHERE ended IS NULL;

-- Every change of an order's standing (no postback) or of a postback's state.
CREATE TABLE transitions (
  id          INTEGER PRIMARY KEY,
  order_id    INTEGER NOT NULL REFERENCES orders (id),
  postback_id INTEGER REFERENCES postbacks (id),
  at          INTEGER NOT NULL,
  was         TEXT,                   -- none: it was entered
  became      TEXT NOT NULL,
  cause       TEXT
) STRICT;
CREATE INDEX transitions_by_order ON transitions (order_id);

-- Fields that `then: remember` rules keep for a later exchange of the visitor.
CREATE TABLE remembered (
  store      TEXT NOT NULL,
  visitor    TEXT NOT NULL,
  field      TEXT NOT NULL,
  text       TEXT NOT NULL,
  origin     TEXT NOT NULL,
  rule       TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (store, visitor, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_by_at ON remembered (at);

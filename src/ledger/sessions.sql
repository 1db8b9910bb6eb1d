-- What version 2 adds: with which visit a session of the shop's was seen at a checkout
-- route, by a keyed hash of its cookie's value. Rows go when their time is over.

CREATE TABLE sessions (
  mark  TEXT PRIMARY KEY,             -- HMAC-SHA-256, hexadecimal
  visit TEXT,                         -- JSON; none: it was seen with two
  at    INTEGER NOT NULL,             -- last written
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_until ON sessions (until);

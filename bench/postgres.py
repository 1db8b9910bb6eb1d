#!/usr/bin/env python3
"""The rows of `ledger enter` by PostgreSQL alone: pgbench, one connection, prepared statements, a group in one pipeline.

usage: bench/postgres.py URL [--group 45] [--transactions 200]
URL names a database in which `ledger enter` has made refgate's tables; it is the bench's own.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import tempfile

# A space after each colon: pgbench takes `:1` and `:null` for variables.
CLICK = ('{"network":"aspire","values":{"affiliate_id":"123456","transaction_id":"102f4a6b8c0d2e4f6a8b0c2d4e6f80"},'
         '"at": 1764500000000}')
CAPTURED = '{"affiliate_id":"123456","transaction_id":"102f4a6b8c0d2e4f6a8b0c2d4e6f80"}'
SIGHTING = ('{"at": 1764500000000,"store":"us","rule":"thank-you","request":"GET /checkout/thank-you/000000000",'
            '"key":{"namespace":"us","id":"000000000"},"aliases":[],"fields":[{"name":"id","text":"000000000",'
            '"origin":"path /checkout/thank-you/{id}"},{"name":"total","text":"$1,249.95",'
            '"origin":"css table#totals tr.subtotal td"}],"amount":{"amount":"1249.95","currency":"USD"},'
            '"working":"total 1249.95 = 1249.95","faults":[],"visit":{"id":"102030405060708090a0b0c0d0e0f007",'
            '"clicks":[' + CLICK + '],"checkout": null},"found_by":"request"}')
ORDER = """
INSERT INTO refgate.orders (id, namespace, number, at, store, rule, amount, currency, working, standing, why, network,
  click, visit, seen) VALUES (@, 'us', (@)::text, 1764500000000, 'us', 'thank-you', '1249.95', 'USD',
  'total 1249.95 = 1249.95', 'credited', 'last click, of aspire', 'aspire', '%s', '102030405060708090a0b0c0d0e0f007', 1);
INSERT INTO refgate.aliases VALUES ('us', (@)::text, @);
INSERT INTO refgate.sightings (order_id, at, rule, body, notes) VALUES (@, 1764500000000, 'thank-you', '%s', '[]');
INSERT INTO refgate.transitions (order_id, at, became, cause)
  VALUES (@, 1764500000000, 'credited', 'last click, of aspire');
INSERT INTO refgate.postbacks (id, order_id, destination, event, sequence, captured, amount, currency, state, at, due)
  VALUES (@, @, 'aspire', 'sale', 0, '%s', '1249.95', 'USD', 'due', 1764500000000, 1764500000000);
INSERT INTO refgate.transitions (order_id, postback_id, at, became) VALUES (@, @, 1764500000000, 'due');
""" % (CLICK, SIGHTING, CAPTURED)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--group", type=int, default=45)
    parser.add_argument("--transactions", type=int, default=200)
    asked = parser.parse_args()
    orders = "".join(ORDER.replace("@", "(:k::bigint + %d)" % place) for place in range(asked.group))
    script = ("\\set k random(1, 9000000000000000)\n\\startpipeline\nBEGIN;%sCOMMIT;\n\\endpipeline\n" % orders)
    pgbench = shutil.which("pgbench") or sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))[-1]
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        words = [pgbench, "-n", "-M", "prepared", "-c", "1", "-t", str(asked.transactions), "-f", file.name, asked.url]
        done = subprocess.run(words, check=True, timeout=300, stdout=subprocess.PIPE, text=True, env=os.environ)
    each = float(re.search(r"(?m)^tps = (\S+)", done.stdout).group(1))
    print("postgres %6.0f orders/s; %d a commit" % (each * asked.group, asked.group))


if __name__ == "__main__":
    main()

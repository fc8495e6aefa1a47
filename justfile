# What takes too long for ./test, on the platform that is deployed here.

# Kills the leader of each store 100 times (about 45 minutes); the pages and ledgers go to `out`.
campaign seed="1" out="target/campaign":
    mkdir -p {{out}}
    status=0; for store in postgres redis kafka; do \
      ./nova drill $store --runs 100 --seed {{seed}} --ledger {{out}}/$store.jsonl --html {{out}}/$store.html -o json >{{out}}/$store.json || status=1; \
    done; exit $status

# Every component killed, every leader changed as planned, a node lost, 20 runs each (about 50 minutes).
drill-all runs="20" seed="1" out="target/campaign":
    mkdir -p {{out}}
    ./nova drill all --runs {{runs}} --seed {{seed}} --ledger {{out}}/all.jsonl --html {{out}}/all.html -o json >{{out}}/all.json

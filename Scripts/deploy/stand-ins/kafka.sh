#!/usr/bin/env bash
# One mock broker with Clairo's topics. It cannot create topics on request.
set -euo pipefail
address=$(hostname -i)
{
    for topic in clairo.uploads clairo.tasks clairo.events clairo.uploads.dlq clairo.tasks.dlq; do echo "topic $topic 4 1"; done
    exec sleep infinity
} | LISTEN=$address LD_PRELOAD=/usr/lib/bind.so clairo-mock-kafka 1

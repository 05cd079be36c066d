#!/bin/bash
# setup.sh -- run once by Gradescope, as root, when it builds the autograder's image: install what is
# needed and build Vitrine.  The bundle is unpacked in /autograder/source; AUTOGRADER names another
# place for tests, and APT=no leaves the packages alone.
# [Gradescope Autograder Documentation "Autograder Specifications"]
set -e
source=${AUTOGRADER:-/autograder}/source
if [ "${APT:-yes}" = yes ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2046
    apt-get install -qy --no-install-recommends $(cat "$source/packages")
fi
make -s -C "$source/vitrine" -j"$(nproc)" build/vitrine guests labs
chmod -R go-rwx "$source"               # a submission runs as nobody, and opens no file anyway

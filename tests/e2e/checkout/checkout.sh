#!/usr/bin/env bash
# Like actions/checkout: a branch is checked out by its name, everything else is a detached HEAD.
set -euo pipefail

ref=${REF:-${GITHUB_REF}}
commit=
if [ -z "${REF}" ] && [ "${REPOSITORY}" = "${GITHUB_REPOSITORY}" ]; then
  commit=${GITHUB_SHA}
fi

mkdir -p "${FOLDER}"
cd "${FOLDER}"
git init -q -b main
git remote add origin "${GITHUB_SERVER_URL}/${REPOSITORY}"
header="AUTHORIZATION: basic $(printf 'x-access-token:%s' "${TOKEN}" | base64 -w 0)"
git config --local "http.${GITHUB_SERVER_URL}/.extraheader" "${header}"

depth=(--depth "${DEPTH}")
if [ "${DEPTH}" = 0 ]; then
  depth=()
  git fetch -q origin '+refs/heads/*:refs/remotes/origin/*'
fi
git fetch -q "${depth[@]}" origin "${commit:-${ref}}"
case ${ref} in
  refs/heads/*) git checkout -q -B "${ref#refs/heads/}" FETCH_HEAD ;;
  *) git checkout -q --detach FETCH_HEAD ;;
esac
if [ "${PERSIST}" != true ]; then
  git config --local --unset "http.${GITHUB_SERVER_URL}/.extraheader"
fi

// What actions/upload-artifact does, with the client that it does it with.
//
// Two things GitHub's service does and act's does not are done here: an artifact name is taken once
// per run (409), and the artifact is in the REST API as soon as the upload ends.

import { stat } from "node:fs/promises";
import path from "node:path";

import { DefaultArtifactClient } from "@actions/artifact";
import * as core from "@actions/core";
import * as glob from "@actions/glob";

const NO_FILES = {
  warn: core.warning,
  error: core.setFailed,
  ignore: core.info,
};

function commonFolder(paths) {
  const [first, ...others] = paths.map((each) => each.split(path.sep));
  const differs = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return first.slice(0, differs < 0 ? first.length : differs).join(path.sep) || path.sep;
}

// Files are stored relative to the deepest folder that all patterns share; one plain file stands alone.
async function find(patterns, includeHidden) {
  const globber = await glob.create(patterns, { excludeHiddenFiles: !includeHidden });
  const found = await globber.glob();
  const isFolder = await Promise.all(found.map(async (each) => (await stat(each)).isDirectory()));
  const files = found.filter((_, index) => !isFolder[index]);
  const roots = globber.getSearchPaths();
  const alone = files.length === 1 && roots.length === 1 && roots[0] === files[0];
  return { files, root: alone ? path.dirname(files[0]) : commonFolder(roots) };
}

async function takeName(client, name, overwrite) {
  const { artifacts } = await client.listArtifacts();
  if (!artifacts.some((artifact) => artifact.name === name)) return;
  if (overwrite) {
    await client.deleteArtifact(name);
    return;
  }
  throw new Error(
    "Failed to CreateArtifact: Failed request: (409) Conflict: " +
      `an artifact with this name already exists on the workflow run (${name})`,
  );
}

async function main() {
  const name = core.getInput("name");
  const patterns = core.getInput("path", { required: true });
  const noFiles = NO_FILES[core.getInput("if-no-files-found")];
  if (!noFiles) {
    throw new Error("if-no-files-found must be one of: warn, error, ignore");
  }
  const { files, root } = await find(patterns, core.getBooleanInput("include-hidden-files"));
  if (files.length === 0) {
    noFiles(`No files were found with the provided path: ${patterns}.`);
    return;
  }
  const client = new DefaultArtifactClient();
  await takeName(client, name, core.getBooleanInput("overwrite"));
  const { id, size, digest } = await client.uploadArtifact(name, files, root, {
    retentionDays: Number(core.getInput("retention-days")) || undefined,
    compressionLevel: Number(core.getInput("compression-level")),
  });
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = process.env;
  core.info(`Artifact ${name} has been successfully uploaded! Final size is ${size} bytes.`);
  core.setOutput("artifact-id", id);
  core.setOutput("artifact-digest", digest);
  core.setOutput(
    "artifact-url",
    `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}/artifacts/${id}`,
  );
}

main().catch((error) => core.setFailed(error.message));

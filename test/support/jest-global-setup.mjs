import { openRunDirectory, runDirectoryVariable, sweepDeadRuns } from './run-directory.mjs';

export default async function setUp() {
  await sweepDeadRuns();
  process.env[runDirectoryVariable] = openRunDirectory();
}

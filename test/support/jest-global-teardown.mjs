import { removeRunDirectory, runDirectoryVariable } from './run-directory.mjs';

export default async function tearDown() {
  await removeRunDirectory(process.env[runDirectoryVariable]);
}

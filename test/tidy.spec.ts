// The rules of the house that no linter knows. A rule that is only written down is forgotten.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Beyond this a file holds two things; the aim is 50 to 250. */
const LINES_MAX = 400;
const NAMELESS = new Set(['common', 'shared', 'util', 'utils', 'helper', 'helpers', 'core']);

/** What is or will be committed. Sources without git, or a machine without it, have nothing to check. */
function list(): string {
  // A clone that belongs to another user is still ours to read.
  const args = [
    '-c',
    'safe.directory=*',
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
  ];
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  } catch {
    return '';
  }
}

const listed = list();
const files = [...new Set(listed.split('\0'))].filter(
  (path) => path !== '' && existsSync(root + path),
);
const code = files.filter((path) => /^(apps|libs)\/.*\.ts$/.test(path));
const read = (path: string): string => readFileSync(root + path, 'utf8');
const testWithGit = files.length > 0 ? test : test.skip;
if (files.length === 0) console.warn('no git checkout: the tidy rules did not run');

describe('the house is tidy', () => {
  testWithGit('no folder and no file is called common, shared, utils, helpers or core', () => {
    const nameless = files.filter((path) =>
      path.split('/').some((part) => NAMELESS.has(part.replace(/\..*$/, '').toLowerCase())),
    );
    expect(nameless).toEqual([]);
  });

  testWithGit('names are in kebab-case', () => {
    const names = code.filter((path) => !/^[a-z0-9./-]+$/.test(path));
    expect(names).toEqual([]);
  });

  testWithGit('every lib has a face that says what it is for, then names its exports', () => {
    const indexes = code.filter((path) => path.endsWith('/index.ts') && path.startsWith('libs/'));
    const libs = new Set(
      code.filter((path) => path.startsWith('libs/')).map((path) => path.split('/')[1]),
    );
    for (const lib of libs) expect(indexes).toContain(`libs/${lib}/src/index.ts`);
    for (const path of indexes.filter((index) => /^libs\/[^/]+\/src\/index\.ts$/.test(index))) {
      expect({ path, opening: read(path).slice(0, 2) }).toEqual({ path, opening: '//' });
      expect({ path, star: /export \* /.test(read(path)) }).toEqual({ path, star: false });
    }
  });

  testWithGit('the environment is read in a configuration file or a main, nowhere else', () => {
    const allowed = /\.config\.ts$|\/main\.ts$|^apps\/cli\/|\.spec\.ts$/;
    const readers = code.filter(
      (path) => !allowed.test(path) && /\bprocess\.env\b/.test(read(path)),
    );
    expect(readers).toEqual([]);
  });

  testWithGit(`no file of the product has more than ${LINES_MAX} lines`, () => {
    const long = code
      .filter((path) => !path.endsWith('.spec.ts'))
      .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
      .filter(({ lines }) => lines > LINES_MAX);
    expect(long).toEqual([]);
  });

  testWithGit('no lint rule is switched off in place, and nothing is left to do later', () => {
    // Assembled, so that this file does not find itself.
    const marks = new RegExp(
      ['(es|ox)lint', '-disable|@ts', '-(ignore|nocheck)|\\bTO', 'DO\\b|\\bFIX', 'ME\\b'].join(''),
    );
    expect(files.filter((path) => /\.[cm]?[jt]s$/.test(path) && marks.test(read(path)))).toEqual(
      [],
    );
  });

  testWithGit('no path of somebody’s machine is committed', () => {
    const machine = new RegExp(
      ['(^|[\\s"\'`(=:])/(wo', 'rk|ho', 'me|Us', 'ers|ro', 'ot)/[\\w.-]+'].join(''),
      'm',
    );
    const text = files.filter((path) =>
      /\.([cm]?[jt]s|json|ya?ml|md|cedar|sql|sh|xml)$|^\.ci\//.test(path),
    );
    // Prose may name an example such as "a clone under a folder of root"; what matters is what is executed.
    expect(text.filter((path) => !path.endsWith('.md') && machine.test(read(path)))).toEqual([]);
  });
});

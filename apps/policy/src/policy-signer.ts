import { constants } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { z } from 'zod';
import { ConfigError } from '#libs/platform';
import {
  publicKeySchema,
  signBundle,
  signException,
  type BundleStatement,
  type PolicyException,
  type PolicyPublicKey,
  type PolicySigningKey,
} from '#libs/policy';

const KEY_FILE = 'policy-signing.jwk';
const VARIABLE = 'CUSTOS_POLICY_SIGNING_KEY_FILE';

const keyFile = z
  .union([
    z.object({ keys: z.array(publicKeySchema.extend({ d: z.string().exactOptional() })).min(1) }),
    publicKeySchema.extend({ d: z.string() }).transform((key) => ({ keys: [key] })),
  ])
  .transform(({ keys }) => keys);

/** Signs with the deployment's key; knows the public parts of it and of those before it. */
export class PolicySigner {
  private constructor(
    private readonly key: PolicySigningKey,
    /** The present one first. */
    readonly publicKeys: readonly PolicyPublicKey[],
  ) {}

  signBundle(statement: BundleStatement): Promise<string> {
    return signBundle(statement, this.key);
  }

  signException(exception: PolicyException): Promise<string> {
    return signException(exception, this.key);
  }

  /**
   * From a file with an Ed25519 JWK, or a JWK Set whose first private key signs and whose others are retired ones
   * that old signatures verify by. Throws ConfigError where it cannot be read as that.
   */
  static async fromFile(path: string): Promise<PolicySigner> {
    const keys = await readKeys(path);
    const signing = keys.find((key) => key.d !== undefined);
    if (signing?.d === undefined) throw fault('has no private key');
    const { d } = signing;
    const ordered = [signing, ...keys.filter((key) => key !== signing)];
    const publicKeys = await Promise.all(
      ordered.map(async ({ kty, crv, x }) => {
        const bare = { kty, crv, x };
        return { ...bare, kid: await calculateJwkThumbprint(bare) };
      }),
    );
    return new PolicySigner({ ...publicKeys[0]!, d }, publicKeys);
  }

  /** The key kept in the data directory (mode 0600); made there when there is none. */
  static async inDataDirectory(dataDir: string): Promise<PolicySigner> {
    const path = join(dataDir, KEY_FILE);
    await makeKey(path);
    return PolicySigner.fromFile(path);
  }
}

async function readKeys(path: string): Promise<z.output<typeof keyFile>> {
  try {
    return keyFile.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // Neither the path's content nor a parser's message that might quote it.
    throw fault('is not a readable file with an Ed25519 JWK or a set of them');
  }
}

async function makeKey(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  let file;
  try {
    file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  try {
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    await file.writeFile(`${JSON.stringify(await exportJWK(privateKey))}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

const fault = (problem: string): ConfigError => new ConfigError([{ variable: VARIABLE, problem }]);

// An RFC 3161 authority made and run with stock `openssl ts`, which is also the judge of what we keep.
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What is asked is stamped, with the certificate's hash among what is signed. */
const CONFIG = `
[tsa]
default_tsa = authority
[authority]
serial = ./serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384
accuracy = secs:1
ess_cert_id_chain = no
`;

const KEY_OPTIONS = {
  ec: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-algorithm', 'RSA'],
};

/** False, said loudly, where there is no openssl; on CI that is a failure. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    if (process.env['CI'] === 'true') throw new Error('openssl is needed to judge time stamps');
    console.warn('NOT RUN: time stamps (no openssl on this machine)');
    return false;
  }
}

export class TimeStampAuthority {
  /** Changed by specs that want another answer. */
  answer: (query: Buffer) => Promise<{ readonly status?: number; readonly body: Buffer }>;
  asked = 0;

  private constructor(private readonly folder: string) {
    this.answer = async (query) => ({ body: await this.stamp(query) });
  }

  /** Makes its keys and certificates in `folder`, which must not exist. */
  static async make(folder: string, key: keyof typeof KEY_OPTIONS = 'ec') {
    const authority = new TimeStampAuthority(folder);
    await mkdir(folder);
    await authority.write('tsa.cnf', CONFIG);
    await authority.write('serial', '01\n');
    await authority.write('ext', 'extendedKeyUsage = critical, timeStamping\n');
    for (const name of ['ca', 'tsa'])
      await authority.openssl('genpkey', ...KEY_OPTIONS[key], '-out', `${name}.key`);
    const ca = ['-x509', '-key', 'ca.key', '-subj', '/CN=spec authority', '-days', '2'];
    await authority.openssl('req', '-new', ...ca, '-out', 'ca.pem');
    const subject = ['-key', 'tsa.key', '-subj', '/CN=spec stamps'];
    await authority.openssl('req', '-new', ...subject, '-out', 'tsa.csr');
    await authority.certify('tsa.pem');
    return authority;
  }

  /** Another certificate of the same key for the same purpose. */
  async certify(out: string): Promise<void> {
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext'];
    await this.openssl('x509', '-req', '-in', 'tsa.csr', ...by, '-days', '2', '-out', out);
  }

  async certificate(name = 'tsa.pem'): Promise<Buffer> {
    await this.openssl('x509', '-in', name, '-outform', 'DER', '-out', 'certificate.der');
    return this.read('certificate.der');
  }

  openssl(...args: readonly string[]): Promise<unknown> {
    return run('openssl', [...args], { cwd: this.folder });
  }

  read(name: string): Promise<Buffer> {
    return readFile(join(this.folder, name));
  }

  write(name: string, content: string | Uint8Array): Promise<void> {
    return writeFile(join(this.folder, name), content);
  }

  /** The TimeStampResp to a TimeStampReq. */
  async stamp(query: Buffer): Promise<Buffer> {
    await this.write('query.tsq', query);
    const files = ['-queryfile', 'query.tsq', '-signer', 'tsa.pem', '-inkey', 'tsa.key'];
    await this.openssl('ts', '-reply', '-config', 'tsa.cnf', ...files, '-out', 'reply.tsr');
    return this.read('reply.tsr');
  }

  /** A request of openssl's own for this SHA-256, with a nonce of its own. */
  async query(sha256: Buffer, ...more: readonly string[]): Promise<Buffer> {
    const digest = ['-digest', sha256.toString('hex'), '-sha256', '-cert', ...more];
    await this.openssl('ts', '-query', ...digest, '-out', 'other.tsq');
    return this.read('other.tsq');
  }

  /** What an auditor does. Rejects where openssl does. */
  async verify(response: Uint8Array, data: string | Uint8Array): Promise<void> {
    await this.write('kept.tsr', response);
    await this.write('data', data);
    await this.openssl('ts', '-verify', '-in', 'kept.tsr', '-data', 'data', '-CAfile', 'ca.pem');
  }

  /** Answers over HTTP from now on. */
  async listen(): Promise<{ readonly url: string; close(): Promise<void> }> {
    const server = createServer((request, response) => {
      this.asked += 1;
      buffer(request)
        .then((query) => this.answer(query))
        .then(({ status = 200, body }) =>
          response.writeHead(status, { 'content-type': 'application/timestamp-reply' }).end(body),
        )
        .catch(() => response.destroy());
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tsr`,
      close: () => {
        const closed = new Promise<void>((done) => server.close(() => done()));
        server.closeAllConnections();
        return closed;
      },
    };
  }
}

// RFC 3161 over one checkpoint: the request, and what an answer must say to be kept.
import { hash, randomBytes, X509Certificate } from 'node:crypto';
import { fromBER, Integer, ObjectIdentifier, OctetString, Sequence, type BaseBlock } from 'asn1js';
import {
  AlgorithmIdentifier,
  ContentInfo,
  id_ContentType_SignedData,
  id_eContentType_TSTInfo,
  id_sha256,
  id_sha384,
  id_sha512,
  MessageImprint,
  PKIStatus,
  SignedData,
  TimeStampReq,
  TimeStampResp,
  TSTInfo,
} from 'pkijs';

/** 64 bits: nobody answers for a request that was not made. */
const NONCE_BYTES = 8;
/** A stamp that says another time than our clock is of use to nobody, whichever of the two is wrong. */
const CLOCK_DIFFERENCE_MS_MAX = 10 * 60_000;

const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12';
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47';
const DIGESTS: Readonly<Record<string, string>> = {
  [id_sha256]: 'sha256',
  [id_sha384]: 'sha384',
  [id_sha512]: 'sha512',
};

export interface TimeStampRequest {
  /** DER, for `application/timestamp-query`. */
  readonly der: Buffer;
  /** What is stamped. */
  readonly bytes: Buffer;
  readonly imprint: Buffer;
  readonly nonce: Buffer;
}

/** Why an answer is not a time stamp over what was asked. */
export type TimeStampFault =
  'malformed' | 'not_granted' | 'wrong_imprint' | 'wrong_nonce' | 'wrong_time' | 'bad_signature';

export type TimeStampVerdict =
  | { readonly ok: true; readonly genTime: Date }
  | { readonly ok: false; readonly fault: TimeStampFault };

/** Asks for a stamp over SHA-256 of the bytes, with a nonce and the certificate of whoever stamps. */
export function timeStampRequest(bytes: Buffer): TimeStampRequest {
  const imprint = hash('sha256', bytes, 'buffer');
  const nonce = randomBytes(NONCE_BYTES);
  // An INTEGER in its shortest form, and positive.
  nonce[0] = 0x40 | (nonce[0]! & 0x3f);
  const request = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({ algorithmId: id_sha256 }),
      hashedMessage: new OctetString({ valueHex: Uint8Array.from(imprint).buffer }),
    }),
    nonce: new Integer({ valueHex: Uint8Array.from(nonce).buffer }),
    certReq: true,
  });
  return { der: Buffer.from(request.toSchema().toBER()), bytes, imprint, nonce };
}

/**
 * Judges a whole TimeStampResp: granted, over this imprint, for this nonce, about now, and signed by the certificate that
 * it carries. Whether that certificate is to be trusted is for whoever relies on the stamp: `openssl ts -verify -CAfile`.
 */
export async function checkTimeStamp(
  response: Uint8Array,
  request: TimeStampRequest,
  nowMs: number,
): Promise<TimeStampVerdict> {
  const read = readResponse(response);
  if (typeof read === 'string') return { ok: false, fault: read };
  const { signed, info } = read;
  const fault = faultOf(info, request, nowMs);
  if (fault !== undefined) return { ok: false, fault };
  if (!(await isSigned(signed, request.bytes, info.genTime)))
    return { ok: false, fault: 'bad_signature' };
  return { ok: true, genTime: info.genTime };
}

function readResponse(
  response: Uint8Array,
): { signed: SignedData; info: TSTInfo } | 'malformed' | 'not_granted' {
  try {
    const parsed = parse(response);
    const { status, timeStampToken } = new TimeStampResp({ schema: parsed });
    if (status.status !== PKIStatus.granted && status.status !== PKIStatus.grantedWithMods)
      return 'not_granted';
    const token = timeStampToken ?? new ContentInfo();
    if (token.contentType !== id_ContentType_SignedData) return 'malformed';
    const signed = new SignedData({ schema: token.content });
    const { eContentType, eContent } = signed.encapContentInfo;
    if (eContentType !== id_eContentType_TSTInfo || eContent === undefined) return 'malformed';
    const info = new TSTInfo({ schema: parse(new Uint8Array(eContent.getValue())) });
    return { signed, info };
  } catch {
    return 'malformed';
  }
}

/** One DER value and nothing behind it. Throws for anything else. */
function parse(bytes: Uint8Array) {
  const { offset, result } = fromBER(Uint8Array.from(bytes).buffer);
  if (offset !== bytes.byteLength) throw new RangeError('not one DER value');
  return result;
}

function faultOf(
  info: TSTInfo,
  { imprint, nonce }: TimeStampRequest,
  nowMs: number,
): TimeStampFault | undefined {
  const { hashAlgorithm, hashedMessage } = info.messageImprint;
  const stamped = Buffer.from(hashedMessage.getValue());
  if (hashAlgorithm.algorithmId !== id_sha256 || !stamped.equals(imprint)) return 'wrong_imprint';
  const said = info.nonce?.valueBlock.valueHexView;
  if (said === undefined || !nonce.equals(said)) return 'wrong_nonce';
  const differenceMs = Math.abs(info.genTime.getTime() - nowMs);
  return differenceMs <= CLOCK_DIFFERENCE_MS_MAX ? undefined : 'wrong_time';
}

/** By a certificate for time stamps that was valid then and that the signature itself names (RFC 5816). */
async function isSigned(signed: SignedData, bytes: Buffer, genTime: Date): Promise<boolean> {
  try {
    if (signed.signerInfos.length !== 1) return false;
    const { signatureVerified, signerCertificate } = await signed.verify({
      signer: 0,
      data: Uint8Array.from(bytes).buffer,
      checkChain: false,
      extendedMode: true,
    });
    if (signatureVerified !== true || !signerCertificate) return false;
    const certificate = new X509Certificate(Buffer.from(signerCertificate.toSchema().toBER()));
    return (
      certificate.keyUsage?.includes(TIME_STAMPING) === true &&
      certificate.validFromDate <= genTime &&
      genTime <= certificate.validToDate &&
      namesCertificate(signed, certificate)
    );
  } catch {
    return false;
  }
}

/** The first certificate hash of the attribute signing-certificate (SHA-1) or signing-certificate-v2. */
function namesCertificate(signed: SignedData, certificate: X509Certificate): boolean {
  for (const { type, values } of signed.signerInfos[0]?.signedAttrs?.attributes ?? []) {
    if (type !== SIGNING_CERTIFICATE && type !== SIGNING_CERTIFICATE_V2) continue;
    // SEQUENCE { certs SEQUENCE OF SEQUENCE { [hashAlgorithm], certHash OCTET STRING, … } … }
    const [first = new Sequence()] = childrenOf(childrenOf(values[0])[0]);
    const fields = childrenOf(first);
    const certHash = fields.find((field) => field instanceof OctetString);
    const algorithm = fields.find((field) => field instanceof Sequence);
    const named = childrenOf(algorithm)[0];
    const digest =
      type === SIGNING_CERTIFICATE
        ? 'sha1'
        : named instanceof ObjectIdentifier && fields[0] === algorithm
          ? DIGESTS[named.getValue()]
          : 'sha256';
    return (
      certHash !== undefined &&
      digest !== undefined &&
      hash(digest, certificate.raw, 'buffer').equals(Buffer.from(certHash.getValue()))
    );
  }
  return false;
}

const childrenOf = (value: unknown): readonly BaseBlock[] =>
  value instanceof Sequence ? (value.valueBlock.value as BaseBlock[]) : [];

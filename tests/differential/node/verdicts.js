// What `@sigstore/verify` says of each question: a JSON object a line in, a JSON object a line out.
//
// in:  {bundle, trustedRoot: JSON texts; artifact: base64 or null; digest: hex SHA-256;
//       identity, issuer: exactly; or key: PEM}
// out: {objection: why it rejects the bundle for this artifact, or null}

import { createPublicKey } from 'node:crypto';
import { createInterface } from 'node:readline';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

const IN_TOTO = 'application/vnd.in-toto+json';

const roots = new Map();

function rootOf(text) {
  if (!roots.has(text)) roots.set(text, TrustedRoot.fromJSON(JSON.parse(text)));
  return roots.get(text);
}

function judge(question) {
  const bundle = bundleFromJSON(JSON.parse(question.bundle));
  const root = rootOf(question.trustedRoot);
  const artifact = question.artifact === null ? undefined : Buffer.from(question.artifact, 'base64');
  const verifier = new Verifier(toTrustMaterial(root, () => givenKey(question.key)));
  verifier.verify(toSignedEntity(bundle, artifact), policy(question, bundle));
  if (bundle.content.$case === 'dsseEnvelope') {
    requireSubject(bundle.content.dsseEnvelope, question.digest);
  }
}

function givenKey(pem) {
  if (pem === null) throw new Error('no key was given');
  return { publicKey: createPublicKey(pem), validFor: () => true };
}

function policy({ identity, issuer, key }, bundle) {
  const byKey = bundle.verificationMaterial.content.$case === 'publicKey';
  if (byKey !== (key !== null)) throw new Error('not signed in the way that is required');
  if (byKey) return undefined;
  // The name is a pattern there.
  const exactly = `^${identity.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  return { subjectAlternativeName: exactly, extensions: { issuer } };
}

// It leaves the statement to its caller.
function requireSubject(envelope, digest) {
  if (envelope.payloadType !== IN_TOTO) throw new Error(`payload type ${envelope.payloadType}`);
  const { subject } = JSON.parse(envelope.payload.toString('utf8'));
  if (!subject.some((item) => item.digest.sha256 === digest)) {
    throw new Error('no subject has the digest');
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let objection = null;
  try {
    judge(JSON.parse(line));
  } catch (error) {
    objection = `${error.code ?? error.name}: ${error.message}`;
  }
  process.stdout.write(`${JSON.stringify({ objection })}\n`);
}

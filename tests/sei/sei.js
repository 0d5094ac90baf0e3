// `.sei` signatures by Node's crypto, from the document alone. One JSON question a line: with a
// scalar it signs, else it verifies.
'use strict';
const crypto = require('node:crypto');
const readline = require('node:readline');

const TYPE = 'application/vnd.in-toto+json';
const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const url = (data) => data.toString('base64url');

function jwk(point, scalar) {
  const key = { kty: 'EC', crv: 'P-256', x: url(point.subarray(1, 33)), y: url(point.subarray(33)) };
  return scalar ? { ...key, d: url(scalar) } : key;
}

function pae(type, payload) {
  const kind = Buffer.from(type);
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${kind.length} `), kind,
    Buffer.from(` ${payload.length} `), payload,
  ]);
}

// RFC 8785, of what a statement here holds: no numbers, keys in ASCII.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(',')}}`;
}

function sign({ scalar, data, point }) {
  const at = Buffer.from(point, 'hex');
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'artefact', digest: { sha256: sha256(Buffer.from(data, 'base64')) } }],
    predicateType: 'https://example.com/node/v1',
    predicate: { by: 'Node' },
  };
  const payload = Buffer.from(canonical(statement));
  const key = crypto.createPrivateKey({ key: jwk(at, Buffer.from(scalar, 'hex')), format: 'jwk' });
  const raw = crypto.sign('sha256', pae(TYPE, payload), { key, dsaEncoding: 'ieee-p1363' });
  const signatures = [{ keyid: sha256(at), sig: raw.toString('base64') }];
  return { sig: JSON.stringify({ payload: payload.toString('base64'), payloadType: TYPE, signatures }, null, 2) };
}

function verified({ sig, data, point }) {
  const at = Buffer.from(point, 'hex');
  const envelope = JSON.parse(sig);
  const payload = Buffer.from(envelope.payload, 'base64');
  const [{ keyid, sig: encoded }, ...others] = envelope.signatures;
  const raw = Buffer.from(encoded, 'base64');
  if (others.length || raw.length !== 64 || keyid !== sha256(at)) return false;
  if (raw.toString('base64') !== encoded || payload.toString('base64') !== envelope.payload) return false;
  const key = crypto.createPublicKey({ key: jwk(at), format: 'jwk' });
  const options = { key, dsaEncoding: 'ieee-p1363' };
  if (!crypto.verify('sha256', pae(envelope.payloadType, payload), options, raw)) return false;
  const statement = JSON.parse(payload.toString('utf8'));
  if (statement._type !== 'https://in-toto.io/Statement/v1' || canonical(statement) !== payload.toString('utf8')) return false;
  const [subject, ...more] = statement.subject;
  return more.length === 0 && subject.digest.sha256 === sha256(Buffer.from(data, 'base64'));
}

function verdict(question) {
  try {
    return { verified: verified(question) };
  } catch (error) {
    return { verified: false, why: String(error) };
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const question = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(question.scalar ? sign(question) : verdict(question))}\n`);
});

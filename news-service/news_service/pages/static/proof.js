// A worker that solves proof-of-work captchas: which number n below `numbers` gives SHA-256(`${id}:${n}`) = target?
// It counts from 0, and brings a SHA-256 of its own (FIPS 180-4): crypto.subtle is missing on plain HTTP, and waiting
// for a promise a million times takes longer than all the hashing.

const BLOCK_BYTES = 64;
const NUMBERS_PER_REPORT = 1 << 14;

/** The first 32 bits of the fractions of the roots of the first primes: the standard's definition of its constants. */
function fractions(count, root) {
  const primes = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  return Int32Array.from(primes, (prime) => (root(prime) % 1) * 2 ** 32);
}

const ROUNDS = fractions(64, Math.cbrt);
const START = fractions(8, Math.sqrt);
const schedule = new Int32Array(64);

/** Put the words from `first` on, one block, into the eight words of a state. */
function compress(state, words, first) {
  for (let i = 0; i < 16; i++) schedule[i] = words[first + i];
  for (let i = 16; i < 64; i++) {
    const x = schedule[i - 15];
    const y = schedule[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    schedule[i] = schedule[i - 16] + s0 + schedule[i - 7] + s1;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + schedule[i]) | 0;
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0;
    d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/** Hash one ASCII text after another; only what follows the full blocks that two neighbours share is hashed anew. */
class Hasher {
  #shared = "";
  #state = START.slice();
  #words = new Int32Array(2 * BLOCK_BYTES / 4);
  digest = new Int32Array(8);

  hash(text) {
    const full = text.length - (text.length % BLOCK_BYTES);
    if (this.#shared.length !== full || !text.startsWith(this.#shared)) this.#share(text.slice(0, full));
    this.digest.set(this.#state);
    const rest = text.length - full;
    this.#fill(text, full, rest);
    const blocks = rest + 9 > BLOCK_BYTES ? 2 : 1; // A bit and the length, 9 bytes, follow the text.
    this.#words[rest >> 2] |= 0x80 << (24 - 8 * (rest & 3));
    this.#words[16 * blocks - 1] = 8 * text.length;
    for (let block = 0; block < blocks; block++) compress(this.digest, this.#words, 16 * block);
  }

  #share(text) {
    this.#shared = text;
    this.#state.set(START);
    for (let start = 0; start < text.length; start += BLOCK_BYTES) {
      this.#fill(text, start, BLOCK_BYTES);
      compress(this.#state, this.#words, 0);
    }
  }

  #fill(text, start, count) {
    this.#words.fill(0);
    for (let i = 0; i < count; i++) this.#words[i >> 2] |= text.charCodeAt(start + i) << (24 - 8 * (i & 3));
  }
}

/** Find the number, or null if there is none. `report` hears from time to time how many were tried. */
function solve({ id, target, numbers }, report) {
  const goal = Int32Array.from({ length: 8 }, (_, i) => Number.parseInt(target.slice(8 * i, 8 * i + 8), 16));
  const hasher = new Hasher();
  for (let n = 0; n < numbers; n++) {
    if (n % NUMBERS_PER_REPORT === 0) report(n);
    hasher.hash(`${id}:${n}`);
    if (hasher.digest[0] === goal[0] && hasher.digest.every((word, i) => word === goal[i])) return n;
  }
  return null;
}

self.onmessage = ({ data }) => {
  const number = solve(data, (tried) => self.postMessage({ tried }));
  self.postMessage({ number });
};

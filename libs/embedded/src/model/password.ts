// Passwords as RabbitMQ keeps them: four bytes of salt and the hash of salt and password, in base64. A user that was
// exported from RabbitMQ can therefore log in here.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const SALT = 4;

const ALGORITHMS = {
  rabbit_password_hashing_sha256: 'sha256',
  rabbit_password_hashing_sha512: 'sha512',
  rabbit_password_hashing_md5: 'md5',
} as const;

/** How RabbitMQ names the ways to hash a password. */
export type HashingAlgorithm = keyof typeof ALGORITHMS;

export interface PasswordHash {
  readonly algorithm: HashingAlgorithm;
  /** Salt and digest in base64; empty for a user who cannot log in. */
  readonly hash: string;
}

export const NO_PASSWORD: PasswordHash = { algorithm: 'rabbit_password_hashing_sha256', hash: '' };

export function isHashingAlgorithm(name: unknown): name is HashingAlgorithm {
  return typeof name === 'string' && Object.hasOwn(ALGORITHMS, name);
}

export function hashPassword(password: string): PasswordHash {
  const algorithm = 'rabbit_password_hashing_sha256';
  const salt = randomBytes(SALT);
  return { algorithm, hash: Buffer.concat([salt, digest(algorithm, salt, password)]).toString('base64') };
}

/** False also for an empty password, which RabbitMQ never lets in. */
export function passwordMatches({ algorithm, hash }: PasswordHash, password: string): boolean {
  const stored = Buffer.from(hash, 'base64');
  if (password === '' || stored.length <= SALT) return false;
  const [salt, expected] = [stored.subarray(0, SALT), stored.subarray(SALT)];
  const actual = digest(algorithm, salt, password);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

function digest(algorithm: HashingAlgorithm, salt: Buffer, password: string): Buffer {
  return createHash(ALGORITHMS[algorithm]).update(salt).update(password, 'utf8').digest();
}

import { DomainError } from '#libs/kernel';
import { buildBundle, type PolicyBundle } from '#libs/policy';
import type { ThePast } from '../replay/the-past.js';
import { folderFault, readSources } from './policy-folder.js';

/** A stored version, or the texts of a folder. Throws DomainError with what is wrong. */
export async function bundleNamed(name: string, past?: ThePast): Promise<PolicyBundle> {
  if (name.startsWith('sha256:')) {
    const stored = await past?.bundle(name);
    if (stored) return stored;
    throw new DomainError('no-bundle', `there is no bundle ${name} here`);
  }
  const fault = folderFault(name);
  if (fault !== undefined) throw new DomainError('no-bundle', fault);
  const built = buildBundle(readSources(name));
  if (built.ok) return built.bundle;
  throw new DomainError(
    'no-bundle',
    `${name} has ${built.faults.length} faults: see custos policy check`,
  );
}

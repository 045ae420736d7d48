import { Inject, Injectable } from '@nestjs/common';
import { PrincipalDirectory, RoleGuard, type PrincipalsSnapshot } from '#libs/identity';
import { InternalTokenGuard, MappedSnapshotSource } from '#libs/platform';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';

/** In its own process control is always up to date with itself. */
const MAX_AGE_MS = 60_000;

@Injectable()
export class AdminGuard extends RoleGuard {
  constructor(@Inject(CONTROL_OPTIONS) options: ControlOptions) {
    const directory = new MappedSnapshotSource<PrincipalsSnapshot, PrincipalDirectory>(
      options.principals,
      (snapshot) => new PrincipalDirectory(snapshot),
    );
    super(directory, ['admin'], { maxAgeMs: MAX_AGE_MS });
  }
}

@Injectable()
export class ControlInternalGuard extends InternalTokenGuard {
  constructor(@Inject(CONTROL_OPTIONS) options: ControlOptions) {
    super(options.internalToken);
  }
}

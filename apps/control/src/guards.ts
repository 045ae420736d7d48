import { Inject, Injectable } from '@nestjs/common';
import { PrincipalDirectory, RoleGuard, type PrincipalsSnapshot } from '#libs/identity';
import { InternalTokenGuard, MappedSnapshotSource } from '#libs/platform';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';

/** In its own process control is always up to date with itself. */
const MAX_AGE_MS = 60_000;

const directoryOf = ({ principals }: ControlOptions) =>
  new MappedSnapshotSource<PrincipalsSnapshot, PrincipalDirectory>(
    principals,
    (snapshot) => new PrincipalDirectory(snapshot),
  );

@Injectable()
export class AdminGuard extends RoleGuard {
  constructor(@Inject(CONTROL_OPTIONS) options: ControlOptions) {
    super(directoryOf(options), ['admin'], { maxAgeMs: MAX_AGE_MS });
  }
}

/** The second person: who may approve need not be able to administer. */
@Injectable()
export class ApproverGuard extends RoleGuard {
  constructor(@Inject(CONTROL_OPTIONS) options: ControlOptions) {
    super(directoryOf(options), ['approver'], { maxAgeMs: MAX_AGE_MS });
  }
}

/** Both of them. */
@Injectable()
export class EitherGuard extends RoleGuard {
  constructor(@Inject(CONTROL_OPTIONS) options: ControlOptions) {
    super(directoryOf(options), ['admin', 'approver'], { maxAgeMs: MAX_AGE_MS });
  }
}

@Injectable()
export class ControlInternalGuard extends InternalTokenGuard {
  constructor(@Inject(CONTROL_OPTIONS) options: ControlOptions) {
    super(options.internalToken);
  }
}

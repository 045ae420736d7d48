import { DomainError } from '#libs/kernel';

export type SimulatorErrorCode = 'simulator_in_production' | 'simulator_not_on_loopback';

/** Why a simulator does not start: it must never be taken for a provider. */
export class SimulatorError extends DomainError<SimulatorErrorCode> {}

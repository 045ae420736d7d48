import { Controller, Get } from '@nestjs/common';
import { DomainError } from '#libs/kernel';

/** Verdicts on confidential endpoints come with the attestation library; until then the route says so. */
@Controller('attestation/v1/endpoints')
export class AttestationController {
  @Get(':id')
  verdict(): never {
    throw new DomainError('not_implemented', 'Attestation verdicts are not implemented yet.');
  }
}

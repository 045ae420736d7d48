import { Controller, Get } from '@nestjs/common';
import { DomainError } from '#libs/kernel';

/** Named in the contract, built with the transparency tree. */
@Controller()
export class UnbuiltController {
  @Get(['audit/v1/receipts/:generationId', 'audit/v1/export', 'log/checkpoint', 'log/tile/*'])
  unbuilt(): never {
    throw new DomainError('not_implemented', 'This route comes with the transparency tree.');
  }
}

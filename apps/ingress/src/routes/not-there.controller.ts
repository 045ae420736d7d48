import { All, Controller } from '@nestjs/common';
import { DomainError } from '#libs/kernel';

/** Wire formats that are promised and that later work brings. */
@Controller(['api/v1/messages', 'v1/messages'])
export class NotThereController {
  @All(['', '*'])
  notThere(): never {
    throw new DomainError('not_implemented', 'This wire format is not there yet.');
  }
}

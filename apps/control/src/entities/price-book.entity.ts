import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Versions of the price book that were announced in the log. */
@Entity({ schema: 'control', name: 'price_book' })
export class PriceBookEntity {
  @PrimaryColumn({ type: 'text' })
  version!: string;

  @Column({ type: 'integer' })
  entries!: number;
}

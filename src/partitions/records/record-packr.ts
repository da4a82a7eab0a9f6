import { Packr } from 'msgpackr/pack';

let packr: Packr | undefined;

/**
 * The packer of records. The first call has the native part of its library loaded, which reads texts faster, without
 * waiting for it: the bytes are the same, and a job that packs nothing does not pay for it.
 */
export function recordPackr(): Packr {
  if (packr === undefined) {
    packr = new Packr({ useRecords: true, moreTypes: true, useBigIntExtension: true });
    void import('msgpackr');
  }
  return packr;
}

/** Decides whether a file that ships with the program is to be told about. Checksums; empty where there is no such file. */
export interface ShippedFileRecord {
  /** The text that was shipped when the file was copied, or when a person has dealt with what was shipped since. */
  readonly shipped: string;
  /** The text that was told last, and what the file was then. */
  readonly told: { readonly shipped: string; readonly present: string } | null;
}

export interface ShippedFileFacts {
  /** Undefined where nothing is known of it: it is from before this was recorded, or new. */
  readonly record: ShippedFileRecord | undefined;
  /** The text that this version ships. */
  readonly shipped: string;
  /** The text that lies in the home. */
  readonly present: string;
}

export interface ShippedFileVerdict {
  /** `changed`: shipped anew, and nobody has edited the old one. `edited`: shipped anew, and somebody has. */
  readonly kind: 'same' | 'changed' | 'edited';
  readonly record: ShippedFileRecord;
}

export function judgeShippedFile({
  record,
  shipped,
  present,
}: ShippedFileFacts): ShippedFileVerdict {
  const settled: ShippedFileVerdict = { kind: 'same', record: { shipped, told: null } };
  if (record === undefined || record.shipped === shipped || present === shipped) return settled;
  const { told } = record;
  // A person who changed or deleted it after being told has dealt with it.
  const isDealtWith = told !== null && told.shipped === shipped && told.present !== present;
  if (isDealtWith) return settled;
  const kind = present === record.shipped ? 'changed' : 'edited';
  return { kind, record: { ...record, told: { shipped, present } } };
}

import type { NewDeliveryRecord, OpenInbound } from '../../shared/protocol/mailbox/inbound-rows.js';

/** The outcomes that are taken out of a draft, to be written. */
export interface TakenOutcomes {
  readonly records: readonly NewDeliveryRecord[];
  readonly forget: readonly string[];
}

/** Outcomes of sends that are not in inbound.db yet: they go there with the next thing that is written. */
export class DeliveryDraft {
  #records: NewDeliveryRecord[] = [];
  #forget: string[] = [];
  #isUrgent = false;
  /** Rows of inbound.db that were open when something was first written in this pass; undefined: nothing was. */
  open: readonly OpenInbound[] | undefined;

  /** A crash before it is written would make a send uncertain that was not, and a repeat of it would show. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  get isEmpty(): boolean {
    return this.#records.length + this.#forget.length === 0;
  }

  /** `isUrgent`: see there. */
  add(record: NewDeliveryRecord, isUrgent: boolean): void {
    this.#records.push(record);
    this.#isUrgent ||= isUrgent;
  }

  /** A send that was begun did not happen. */
  forget(messageOutId: string): void {
    this.#forget.push(messageOutId);
  }

  /** Takes what there is, which is then the caller's to write. */
  take(): TakenOutcomes {
    const taken = { records: this.#records, forget: this.#forget };
    this.#records = [];
    this.#forget = [];
    this.#isUrgent = false;
    return taken;
  }

  /** The outcomes could not be written. */
  putBack(taken: TakenOutcomes): void {
    this.#records = [...taken.records, ...this.#records];
    this.#forget = [...taken.forget, ...this.#forget];
  }
}

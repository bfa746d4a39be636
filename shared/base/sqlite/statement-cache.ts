import type { Db, Statement } from './sqlite.js';

/**
 * A statement that others use too. iterate(), which would lock them out until it ends, and pluck(), raw() and expand(),
 * which would stay set for them, are not there.
 */
export type KeptStatement<Bind extends unknown[], Row> = Pick<
  Statement<Bind, Row>,
  'run' | 'get' | 'all'
>;

/**
 * Compiles each statement of a database at its first use, once, and keeps it until the database is closed. The key is
 * the text: it must be one of the program's own, with every value bound, or the cache grows without end.
 */
export class StatementCache {
  readonly #db: Db;
  readonly #statements = new Map<string, Statement<unknown[], unknown>>();
  readonly #plucked = new Map<string, Statement<unknown[], unknown>>();
  readonly #walked = new Map<string, Statement<unknown[], unknown>>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** Each row is an object of its columns. Throws what SQLite says of a text that does not compile. */
  prepare<Bind extends unknown[], Row>(sql: string): KeptStatement<Bind, Row> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    // The caller says what the text binds and finds, as with prepare() of the database itself.
    return statement as KeptStatement<Bind, Row>;
  }

  /** As prepare, and each row is the value of its first column. */
  pluck<Bind extends unknown[], Value>(sql: string): KeptStatement<Bind, Value> {
    let statement = this.#plucked.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql).pluck();
      this.#plucked.set(sql, statement);
    }
    return statement as KeptStatement<Bind, Value>;
  }

  /**
   * The rows one by one, read as far as they are taken; leaving the loop ends the walk. A second walk of the same text
   * throws until the first has ended.
   */
  walk<Row>(sql: string, ...bind: readonly unknown[]): IterableIterator<Row> {
    let statement = this.#walked.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#walked.set(sql, statement);
    }
    return statement.iterate(...bind) as IterableIterator<Row>;
  }
}

/** The build's own way to bundle a runner, with the types that a plain script cannot have. */
import { createRequire } from 'node:module';

interface RunnerBundles {
  /** As esbuild takes it: `alias`. */
  readonly bundleRunner: (options: {
    readonly container: string;
    readonly provider: string;
    readonly outfile: string;
    readonly alias?: Readonly<Record<string, string>>;
  }) => Promise<void>;
  readonly listProviders: (container: string) => readonly string[];
}

const script = '../../scripts/runner-bundle.cjs';

export const { bundleRunner, listProviders } = createRequire(import.meta.url)(
  script,
) as RunnerBundles;

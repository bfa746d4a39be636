import { silentLogger } from '../../../shared/base/logger.js';
import {
  assertSettings,
  type AddCommands,
  type CommandContext,
} from '../command/command-context.js';

export const addImageCommands: AddCommands = (program, act) => {
  const noun = program.command('image').description('the image that agents run in');
  noun
    .command('build')
    .description('build it, unless the engine has it; its tag is made from what it is built from')
    .option('--base-image <name>', 'what it is built on, instead of BERTH_BASE_IMAGE')
    .action(act(build));
};

async function build(
  context: CommandContext,
  { baseImage }: { readonly baseImage?: string },
): Promise<void> {
  assertSettings(context);
  const { config, output } = context;
  const { ensureAgentImage } = await import('../../daemon/daemon.js');
  const image = await ensureAgentImage({
    config: baseImage === undefined ? config : { ...config, baseImage },
    log: silentLogger,
    onProgress: (line) => {
      output.note(line);
    },
  });
  if (baseImage !== undefined && baseImage !== config.baseImage) {
    output.note(
      `Set BERTH_BASE_IMAGE=${baseImage} for the daemon too, so that it uses this image.`,
    );
  }
  output.result({ image }, () => `The agent image is ${image}.`);
}

/**
 * Runs once before the Docker tests: sees whether they can run here, and makes the agent image if need be. Tests
 * ask with inject('docker'), and skip where it is not available.
 */
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { toBerthError } from '../../shared/base/errors.js';
import { testEngine, testImage } from '../fakes/docker-runtimes.js';

export type DockerFacts =
  | { readonly available: true; readonly baseImage: string | undefined; readonly image: string }
  | { readonly available: false; readonly reason: string };

declare module 'vitest' {
  interface ProvidedContext {
    docker: DockerFacts;
  }
}

const localBase = 'berth-base:local';
const agentImageDir = fileURLToPath(new URL('../../dist/agent-image', import.meta.url));

export async function setup(project: TestProject): Promise<void> {
  const facts = await findDocker();
  if (!facts.available) {
    if (process.env['BERTH_REQUIRE_DOCKER'] === '1') {
      throw new Error(`BERTH_REQUIRE_DOCKER=1, but the Docker tests cannot run: ${facts.reason}`);
    }
    console.error(`\n*** THE DOCKER TESTS WERE NOT RUN: ${facts.reason} ***\n`);
  }
  project.provide('docker', facts);
}

async function findDocker(): Promise<DockerFacts> {
  const engine = testEngine();
  try {
    const local = (await engine.findImage(localBase)) === undefined ? undefined : localBase;
    const baseImage = process.env['BERTH_BASE_IMAGE'] ?? local;
    const image = await testImage(engine, agentImageDir, baseImage).ensure((line) => {
      console.error(`agent image: ${line}`);
    });
    return { available: true, baseImage, image };
  } catch (error) {
    const { message, next } = toBerthError(error);
    return { available: false, reason: [message, next].filter(Boolean).join(' ') };
  } finally {
    engine.close();
  }
}

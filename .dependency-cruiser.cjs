const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
module.exports = {
  forbidden: [
    rule(
      'no-circles',
      'Type-only imports count too: a circle of types is still a circle of ideas.',
      {},
      { circular: true },
    ),
    rule(
      'no-orphans',
      'Nothing imports this file.',
      {
        orphan: true,
        pathNot: '(^|/)(main\\.ts|.*\\.test\\.ts)$|\\.config\\.|^scripts/check/lint\\.ts$',
      },
      {},
    ),
    rule(
      'shared-looks-down',
      'shared knows neither side.',
      { path: '^shared/' },
      { path: '^(host|container)/' },
    ),
    rule(
      'base-looks-down',
      'base is domain-free.',
      { path: '^shared/base/' },
      { path: '^shared/protocol/' },
    ),
    rule(
      'sides-meet-in-the-database',
      'host and container talk through the two session databases only.',
      { path: '^(host|container)/' },
      { path: '^(host|container)/', pathNot: '^$1/' },
    ),
    rule(
      'host-writes-inbound-only',
      'One writer per file.',
      { path: '^host/' },
      { path: '^shared/protocol/mailbox/(inbound-reader|outbound-writer|outbound-pruner)\\.ts$' },
    ),
    rule(
      'container-writes-outbound-only',
      'One writer per file.',
      { path: '^container/' },
      {
        path: '^shared/protocol/mailbox/(inbound-handle|inbound-writer|inbound-rows|inbound-settlement|inbound-reopener|inbound-schema|outbound-reader)\\.ts$',
      },
    ),
    rule(
      'one-writer-of-session-status',
      'A session begins, changes and ends in its life cycle only: the change is checked there, and its event written.',
      {
        pathNot:
          '^host/(sessions/session-lifecycle|store/store)\\.ts$|^test/fakes/session-rows\\.ts$',
      },
      { path: '^host/store/session-status\\.ts$' },
    ),
    rule(
      'lowest-rooms-stand-alone',
      'config, store and channels know only shared.',
      { path: '^host/(config|store|channels)/' },
      { path: '^host/', pathNot: '^host/$1/' },
    ),
    rule(
      'sessions-know-only-store',
      'A session is rows and files; it knows nothing of who writes to it.',
      { path: '^host/sessions/' },
      { path: '^host/', pathNot: '^host/(sessions|store)/' },
    ),
    rule(
      'flow-rooms-are-siblings',
      'routing, containers, delivery and schedule never import each other; the daemon joins them.',
      { path: '^host/(routing|containers|delivery|schedule)/' },
      { path: '^host/(routing|containers|delivery|schedule)/', pathNot: '^host/$1/' },
    ),
    rule(
      'operations-stand-on-rows-and-rules',
      'What can be asked of Berth reads and writes rows, and asks pure rules; what only the daemon can do is handed in.',
      { path: '^host/operations/' },
      {
        path: '^host/',
        pathNot:
          '^host/(operations|store|sessions|routing)/|^host/channels/(set/builtin-channels|channel-type)\\.ts$',
      },
    ),
    rule(
      'only-the-daemon-composes',
      'Rooms take what they need as a parameter; host/daemon gives it to them.',
      { path: '^host/(routing|containers|delivery|schedule)/' },
      { path: '^host/(main\\.ts$|cli/|daemon/|config/)' },
    ),
    rule(
      'the-daemon-knows-no-command',
      'Commands start the daemon, not the other way round.',
      { path: '^host/daemon/' },
      { path: '^host/(main\\.ts$|cli/)' },
    ),
    rule(
      'the-edge-is-thin',
      'main.ts is argv, signals and the exit code; the program is cli/program.',
      { path: '^host/main\\.ts$' },
      { path: '^host/', pathNot: '^host/cli/program\\.ts$' },
    ),
    rule(
      'cli-writes-desired-state',
      'A command writes rows; it never routes, runs or delivers. It may ask the pure rules of schedules, so that a bad one is refused at once.',
      { path: '^host/cli/' },
      { path: '^host/', pathNot: '^host/(cli|operations|config|store|sessions|channels|daemon)/' },
    ),
    rule(
      'cli-daemon-alone-knows-the-daemon',
      'Only the command that runs the daemon loads it.',
      { path: '^host/cli/', pathNot: '^host/cli/daemon/' },
      { path: '^host/daemon/' },
    ),
    rule(
      'cli-chat-alone-speaks-to-the-terminal',
      "The client half of the terminal's wire.",
      { path: '^host/cli/', pathNot: '^host/cli/chat/' },
      {
        path: '^host/channels/',
        pathNot: '^host/channels/terminal/terminal-(protocol|probe|mention)\\.ts$',
      },
    ),
    rule(
      'cli-chat-speaks-the-wire-only',
      'A command is a client of the terminal, never a channel.',
      { path: '^host/cli/chat/' },
      {
        path: '^host/channels/',
        pathNot: '^host/channels/terminal/terminal-(protocol|client|link)\\.ts$',
      },
    ),
    rule(
      'channels-through-their-contract',
      'routing and delivery see the contract, never an adapter.',
      { path: '^host/(routing|containers|delivery|schedule)/' },
      { path: '^host/channels/', pathNot: '^host/channels/(channel|set/channel-set)\\.ts$' },
    ),
    rule(
      'one-door-to-a-channel',
      'What is outside knows the types of channels, and never what one is made of.',
      { path: '^host/', pathNot: '^host/(channels|cli)/' },
      {
        path: '^host/channels/',
        pathNot: '^host/channels/(channel|set/channel-set|channel-type|set/builtin-channels)\\.ts$',
      },
    ),
    rule(
      'one-door-dockerode',
      '',
      { pathNot: '^host/containers/runtime/docker/docker-engine\\.ts$|^test/docker/' },
      { path: 'node_modules/(@types/)?dockerode' },
    ),
    rule(
      'one-door-sqlite',
      '',
      { pathNot: '^shared/base/sqlite/sqlite\\.ts$' },
      { path: 'node_modules/(@types/)?better-sqlite3' },
    ),
    rule(
      'one-door-chokidar',
      '',
      { pathNot: '-watcher(\\.test)?\\.ts$' },
      { path: 'node_modules/chokidar' },
    ),
    rule(
      'one-door-croner',
      '',
      { pathNot: '^host/sessions/tasks/recurrence\\.ts$' },
      { path: 'node_modules/croner' },
    ),
    rule(
      'one-door-zod-free-base',
      'base is free of schemas.',
      { path: '^shared/base/' },
      { path: 'node_modules/zod' },
    ),
    rule('one-door-commander', '', { pathNot: '^host/cli/' }, { path: 'node_modules/commander' }),
    rule(
      'one-door-pino',
      '',
      { pathNot: '^shared/base/logger\\.ts$' },
      { path: 'node_modules/pino' },
    ),
    rule(
      'no-test-code-in-production',
      '',
      { pathNot: '\\.test\\.ts$|^(test|bench|scripts)/' },
      { path: '\\.test\\.ts$|^(test|bench|scripts)/' },
    ),
    rule('not-to-unresolvable', '', {}, { couldNotResolve: true }),
    rule(
      'not-to-dev-dep',
      '',
      { path: '^(host|container|shared)/', pathNot: '\\.test\\.ts$' },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node'],
    },
  },
};

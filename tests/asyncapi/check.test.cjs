// docs/asyncapi.json by the judgement of the AsyncAPI parser. Run by tests/lint.sh.
'use strict';

const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { Parser } = require('@asyncapi/parser');

const text = readFileSync(join(__dirname, '..', '..', 'docs', 'asyncapi.json'), 'utf8');

const ERROR = 0;

async function errors(document) {
  const { diagnostics } = await new Parser().parse(JSON.stringify(document));
  return diagnostics
    .filter(({ severity }) => severity === ERROR)
    .map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('the document is valid', async () => {
  assert.deepStrictEqual(await errors(JSON.parse(text)), []);
});

// Shows that the parser looks at what matters here: a document with one of these must not pass.
const mistakes = {
  'an action that does not exist': (api) => {
    api.operations.publishWorkflowExecution.action = 'publish';
  },
  'a channel that is not there': (api) => {
    api.operations.storeWorkflowExecution.channel.$ref = '#/channels/none';
  },
  'a schema that is not there': (api) => {
    delete api.components.schemas.StepExecutionAudit;
  },
  'a Kafka setting of the wrong type': (api) => {
    api.channels.workflowExecution.bindings.kafka.topicConfiguration['retention.ms'] = '35d';
  },
  'an unknown security scheme': (api) => {
    api.components.securitySchemes.scramSha512.type = 'password';
  },
};

for (const [mistake, make] of Object.entries(mistakes)) {
  test(`${mistake} is found`, async () => {
    const api = JSON.parse(text);
    make(api);
    assert.notDeepStrictEqual(await errors(api), []);
  });
}

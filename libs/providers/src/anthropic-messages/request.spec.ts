import { describe, expect, test } from '@jest/globals';
import { parseChatRequest } from '../parse-chat-request.js';
import type { AttemptTarget } from '../types.js';
import { readAnswer } from './answer.js';
import { classifyStatus } from './failure.js';
import { buildRequest } from './request.js';

const TARGET: AttemptTarget = {
  endpointId: 'ep',
  providerId: 'anthropic',
  dialect: 'anthropic-messages',
  baseUrl: 'http://127.0.0.1/v1',
  upstreamModel: 'claude-x',
  credential: 'sk-ant',
  simulated: false,
  maxOutputTokens: 4096,
  unaskedOutputTokens: 4096,
};

function build(body: Record<string, unknown>) {
  const parsed = parseChatRequest(Buffer.from(JSON.stringify({ model: 'm', ...body })));
  if (!parsed.ok) throw new Error(parsed.message);
  return buildRequest(TARGET, parsed.request, 'gen-1.2');
}

function translated(body: Record<string, unknown>): Record<string, unknown> {
  const built = build(body);
  if (!built.ok) throw new Error(built.failure.message);
  return JSON.parse(built.body.toString()) as Record<string, unknown>;
}

const hi = [{ role: 'user', content: 'hi' }];

describe('OpenAI chat → Messages', () => {
  test('a conversation with instructions, tools, their results and images', () => {
    const body = translated({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'developer', content: [{ type: 'text', text: 'In German.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is it?', cache_control: { type: 'ephemeral' } },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
            { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
            { id: 'c2', type: 'function', function: { name: 'g', arguments: '' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'one' },
        { role: 'tool', tool_call_id: 'c2', content: [{ type: 'text', text: 'two' }] },
        { role: 'user', content: 'go on' },
      ],
    });
    expect(body['system']).toEqual([
      { type: 'text', text: 'Be brief.' },
      { type: 'text', text: 'In German.' },
    ]);
    expect(body['messages']).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is it?', cache_control: { type: 'ephemeral' } },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
          { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'c1', name: 'f', input: { a: 1 } },
          { type: 'tool_use', id: 'c2', name: 'g', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c1', content: [{ type: 'text', text: 'one' }] },
          { type: 'tool_result', tool_use_id: 'c2', content: [{ type: 'text', text: 'two' }] },
          { type: 'text', text: 'go on' },
        ],
      },
    ]);
  });

  test('parameters: names, ceilings and scales', () => {
    expect(
      translated({
        messages: hi,
        stream: true,
        temperature: 1.7,
        top_p: 0.9,
        stop: 'END',
        max_completion_tokens: 50,
        user: 'u1',
        reasoning: { max_tokens: 40 },
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'x', schema: { type: 'object' } },
        },
        tools: [{ type: 'function', function: { name: 'f', description: 'd' } }],
        tool_choice: { type: 'function', function: { name: 'f' } },
        parallel_tool_calls: false,
      }),
    ).toEqual({
      model: 'claude-x',
      max_tokens: 50,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      stream: true,
      temperature: 1,
      top_p: 0.9,
      stop_sequences: ['END'],
      metadata: { user_id: 'u1' },
      thinking: { type: 'enabled', budget_tokens: 40 },
      output_config: { format: { type: 'json_schema', schema: { type: 'object' } } },
      tools: [{ name: 'f', description: 'd', input_schema: { type: 'object', properties: {} } }],
      tool_choice: { type: 'tool', name: 'f', disable_parallel_tool_use: true },
    });
    expect(translated({ messages: hi })['max_tokens']).toBe(4096);
    expect(translated({ messages: hi, max_tokens: 9999 })['max_tokens']).toBe(4096);
  });

  test.each([
    ['auto', { type: 'auto' }],
    ['none', { type: 'none' }],
    ['required', { type: 'any' }],
  ])('tool_choice %s', (choice, expected) => {
    const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }];
    expect(translated({ messages: hi, tools, tool_choice: choice })['tool_choice']).toEqual(
      expected,
    );
  });

  test.each([
    [{ messages: hi, logprobs: true }, 'logprobs'],
    [{ messages: hi, response_format: { type: 'json_object' } }, 'response_format'],
    [{ messages: hi, tools: [{ type: 'web_search' }] }, 'tools[0]'],
    [{ messages: hi, stop: [1] }, 'stop'],
    [{ messages: [{ role: 'system', content: 'x' }] }, 'messages'],
    [{ messages: [{ role: 'function', name: 'f', content: 'x' }] }, 'messages[0].role'],
    [
      { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] },
      'messages[0].content[0]',
    ],
    [
      {
        messages: [
          {
            role: 'assistant',
            tool_calls: [
              { id: 'c', type: 'function', function: { name: 'f', arguments: 'canary' } },
            ],
          },
        ],
      },
      'messages[0].tool_calls[0].function.arguments',
    ],
  ])('what has no counterpart is refused by name: %j', (body, param) => {
    const built = build(body);
    if (built.ok) throw new Error('was translated');
    expect(built.failure).toMatchObject({ kind: 'rejected', retryable: false });
    expect(built.failure.message).toContain(`${param} `);
    expect(built.failure.message).not.toContain('canary');
  });

  test('what merely steers the sampling is dropped, and named', () => {
    const built = build({ messages: hi, seed: 1, frequency_penalty: 0.5, logprobs: false });
    expect(built).toMatchObject({ ok: true, dropped: ['seed', 'frequency_penalty'] });
    expect(translated({ messages: hi, seed: 1 })).not.toHaveProperty('seed');
  });

  test('credential and version go in its own headers', () => {
    const built = build({ messages: hi });
    if (!built.ok) throw new Error('refused');
    expect(built.path).toBe('/messages');
    expect(built.headers.join('|')).toContain('anthropic-version|2023-06-01|x-api-key|sk-ant');
    expect(built.headers.join('|')).toContain('x-client-request-id|gen-1.2');
    expect(built.headers).not.toContain('authorization');
  });
});

describe('Message → OpenAI answer', () => {
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-x',
    content: [
      { type: 'thinking', thinking: 'hm', signature: 's' },
      { type: 'text', text: 'Hallo' },
      { type: 'tool_use', id: 't1', name: 'f', input: { a: 1 } },
      { type: 'tool_use', id: 't2', name: 'g', input: {} },
    ],
    stop_reason: 'tool_use',
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 7,
      output_tokens: 20,
    },
  };
  const answer = (change: Record<string, unknown> = {}) =>
    readAnswer(Buffer.from(JSON.stringify({ ...message, ...change })));

  test('text, thinking, tool calls and usage: the input is the total', () => {
    expect(answer()).toMatchObject({
      ok: true,
      answer: {
        body: {
          id: 'msg_1',
          object: 'chat.completion',
          model: 'claude-x',
          choices: [
            {
              index: 0,
              message: {
                role: 'assistant',
                content: 'Hallo',
                reasoning: 'hm',
                tool_calls: [
                  { id: 't1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
                  { id: 't2', type: 'function', function: { name: 'g', arguments: '{}' } },
                ],
              },
              finish_reason: 'tool_calls',
            },
          ],
          usage: { prompt_tokens: 117, completion_tokens: 20, total_tokens: 137 },
        },
      },
      end: {
        usage: { inputTokens: 117, outputTokens: 20, cacheReadTokens: 100, cacheWriteTokens: 7 },
        upstreamId: 'msg_1',
      },
    });
  });

  test.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['refusal', 'content_filter'],
    ['a_reason_to_come', 'stop'],
  ])('stop_reason %s is finish_reason %s', (stop_reason, finishReason) => {
    expect(answer({ stop_reason })).toMatchObject({ ok: true, end: { finishReason } });
  });

  test('what is no message is malformed, an error is what its type says', () => {
    expect(answer({ content: undefined })).toMatchObject({ failure: { kind: 'malformed' } });
    expect(
      answer({ type: 'error', error: { type: 'overloaded_error', message: 'canary' } }),
    ).toMatchObject({ failure: { kind: 'upstream_error', retryable: true } });
  });

  test('of an error body only documented types are repeated', () => {
    const body = Buffer.from('{"error":{"type":"request_too_large","message":"canary"}}');
    const failure = classifyStatus({ status: 413, nowMs: 0, body });
    expect(failure.message).toContain('request_too_large');
    expect(failure.message).not.toContain('canary');
  });
});

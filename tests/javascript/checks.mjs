// What an exported folder must do in transformers.js, in Node as in a browser. `cases.json` says
// what Fluxo itself computed (tests/tests/transformers_js.rs writes it).

/**
 * Differences are absolute, divided by the output's largest magnitude where that is over 1: the
 * project's bound between two runtimes in float32.
 */
const LARGEST = 2e-5;

/**
 * Runs every case and gives a line for each failure.
 * @param transformers the module
 * @param cases what to load, and what must come out
 * @param device what runs the graphs; the module's own choice where it is undefined
 */
export async function check(transformers, cases, device) {
  const failures = [];
  for (const one of cases) {
    const fail = (text) => failures.push(`${one.model}: ${text}`);
    try {
      await kinds[one.kind](transformers, one, { dtype: 'fp32', device }, fail);
    } catch (error) {
      fail(String(error?.stack ?? error).slice(0, 600));
    }
  }
  return failures;
}

/** By what a folder is for. */
const kinds = {
  vectors,
  text: (lib, ...rest) => generate(lib, lib.AutoModelForCausalLM, ...rest),
  text2text: (lib, ...rest) => generate(lib, lib.AutoModelForSeq2SeqLM, ...rest),
  chat,
  speech,
};

/** A conversation as the folder's chat templates write it. */
async function chat({ AutoTokenizer }, one, options, fail) {
  const tokenizer = await AutoTokenizer.from_pretrained(one.model);
  const written = (more) => tokenizer.apply_chat_template(one.messages, { tokenize: false, ...more });
  same([written({ add_generation_prompt: true })], [one.text], 'the default template', fail);
  same([written({ chat_template: 'rag' })], [one.rag], 'the template `rag`', fail);
}

/** Greedy tokens for a sound that the folder's processor reads. */
async function speech({ AutoProcessor, AutoModelForSpeechSeq2Seq }, one, options, fail) {
  const processor = await AutoProcessor.from_pretrained(one.model);
  const inputs = await processor(new Float32Array(one.samples));
  const model = await AutoModelForSpeechSeq2Seq.from_pretrained(one.model, options);
  const limit = { max_new_tokens: one.max_new_tokens };
  const written = await model.generate({ inputs: inputs.input_features, ...limit });
  same(written.tolist()[0].map(Number).slice(1), one.ids, 'greedy tokens', fail);
}

/** Texts of different lengths, padded by the tokenizer; every position that the mask keeps. */
async function vectors({ AutoTokenizer, AutoModel }, one, options, fail) {
  const tokenizer = await AutoTokenizer.from_pretrained(one.model);
  const model = await AutoModel.from_pretrained(one.model, options);
  const inputs = await tokenizer(one.texts.map((text) => text.prompt), { padding: true });
  const outputs = await model(inputs);
  const [hidden, pooled] = [outputs.last_hidden_state.tolist(), outputs.pooler_output.tolist()];
  const ids = inputs.input_ids.tolist();
  const mask = inputs.attention_mask.tolist();
  one.texts.forEach((text, row) => {
    const kept = (values) => values.filter((_, position) => Number(mask[row][position]) === 1);
    same(kept(ids[row]).map(Number), text.ids, 'token numbers', fail);
    near(kept(hidden[row]).flat(), text.last_hidden_state, 'last_hidden_state', fail);
    near(pooled[row], text.pooler_output, 'pooler_output', fail);
  });
}

/** Greedy tokens after prompts, or for source texts, one by one with a cache. */
async function generate({ AutoTokenizer }, Kind, one, options, fail) {
  const tokenizer = await AutoTokenizer.from_pretrained(one.model);
  const model = await Kind.from_pretrained(one.model, options);
  for (const text of one.texts) {
    const inputs = await tokenizer(text.prompt);
    const prompt = inputs.input_ids.tolist()[0].map(Number);
    same(prompt, text.prompt_ids, 'token numbers', fail);
    const written = await model.generate({
      ...inputs,
      max_new_tokens: one.max_new_tokens,
      do_sample: false,
    });
    const all = written.tolist()[0].map(Number);
    // A decoder gives the prompt back before its text; the other kind, its start token.
    const before = one.kind === 'text' ? prompt.length : 1;
    const tokens = all.slice(before);
    same(tokens, text.ids, `greedy tokens after ${JSON.stringify(text.prompt)}`, fail);
    const decoded = tokenizer.decode(tokens, { skip_special_tokens: true });
    same([decoded], [text.text], 'decoded text', fail);
  }
}

function same(ours, expected, what, fail) {
  const [a, b] = [JSON.stringify(ours), JSON.stringify(expected)];
  if (a !== b) fail(`${what}: ${a}, and Fluxo has ${b}`);
}

function near(values, expected, what, fail) {
  if (values.length !== expected.length) {
    fail(`${what}: ${values.length} numbers, and Fluxo has ${expected.length}`);
    return;
  }
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const differences = values.map((value, i) => Math.abs(value - expected[i]) / scale);
  // Written so that what is no number fails.
  const worst = differences.find((value) => !(value <= LARGEST));
  if (worst !== undefined) fail(`${what}: off by ${worst}`);
}

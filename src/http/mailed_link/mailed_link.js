// What the pages behind mailed links have in common: they take the token from the
// link's fragment and keep it to themselves until a button is pressed. Mail
// scanners open links, and must not use them up.

const INCOMPLETE =
  'This link is incomplete. Open the link from your e-mail again, or copy all of it into the address bar.';

export const element = (id) => document.getElementById(id);
const form = element('form');
const submit = element('submit');
const notice = element('notice');
let token = '';

export async function graphql(query, variables) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json, application/json;q=0.9',
    },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

/** A second link opened in this tab changes nothing but the fragment, and loads nothing anew. */
function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get('token');
  if (found) {
    token = found;
    // Out of the address bar, the history and whatever is shared from them.
    history.replaceState(null, '', location.pathname + location.search);
    element('done').hidden = true;
    show('');
  } else if (!token) {
    show(INCOMPLETE);
  }
  form.hidden = !token;
}

export function show(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

export function mark(input, text) {
  element(`${input.id}-error`).textContent = text;
  if (text) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
}

/** Ends here: what the form was for cannot be done, or is done. */
function finish(place, text) {
  token = '';
  form.reset();
  form.hidden = true;
  place.textContent = text;
  place.hidden = false;
  place.focus();
}

/** Puts each problem where it can be mended: beside the input of its field, or above the form. */
function showProblems(problems, inputs) {
  const isOf = (problem, field) => problem.field?.at(-1) === field;
  let first;
  for (const [field, input] of Object.entries(inputs)) {
    const own = problems.filter((problem) => isOf(problem, field));
    mark(input, own.map((problem) => problem.message).join(' '));
    if (own.length > 0) first ??= input;
  }
  const others = problems.filter((problem) => !Object.keys(inputs).some((field) => isOf(problem, field)));
  show(others.map((problem) => problem.message).join(' '));
  (first ?? notice).focus();
}

/**
 * Runs the page. `mutation` is named `name`, and its input is the token with what `read` gives;
 * `inputs` are the form's, by field; `texts` are what is said when it is done, when the link is
 * spent, and when no answer came. `check` may put marks at inputs before anything is sent.
 */
export function run({ mutation, name, texts, inputs = {}, read = () => ({}), check = () => {} }) {
  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    show('');
    check();
    const wrong = form.querySelector('[aria-invalid]');
    if (wrong) {
      wrong.focus();
      return;
    }
    submit.disabled = true;
    try {
      const { data, errors } = await graphql(mutation, { input: { token, ...read() } });
      const problems = data?.[name]?.userErrors;
      if (problems?.some((problem) => problem.code === 'INVALID_TOKEN' || problem.field?.at(-1) === 'token')) {
        finish(notice, texts.spent);
      } else if (problems?.length > 0) showProblems(problems, inputs);
      else if (problems && !errors) finish(element('done'), texts.done);
      else throw new Error(errors?.map((error) => error.message).join(' '));
    } catch (error) {
      // A failed fetch and an answer that is no JSON have no words for the person at the form.
      const unreadable = error instanceof TypeError || error instanceof SyntaxError;
      show((!unreadable && error.message) || texts.noAnswer);
      notice.focus();
    } finally {
      submit.disabled = false;
    }
  }

  form.addEventListener('submit', send);
  window.addEventListener('hashchange', takeToken);
  takeToken();
}

/** For a form with a new password: says how long it must be, and shows it on demand. */
export function hintAtPassword(passwords) {
  const reveal = () => {
    const type = element('show').checked ? 'text' : 'password';
    for (const input of passwords) input.type = type;
  };
  element('show').addEventListener('change', reveal);
  // A form that is reset has its box unticked, but only afterwards.
  form.addEventListener('reset', () => setTimeout(reveal));
  if (token) tellLength();
}

async function tellLength() {
  try {
    const { data } = await graphql('{ server { passwordMinLength } }');
    element('hint').textContent = `At least ${data.server.passwordMinLength} characters.`;
  } catch {
    // The form works without it: the server says what is wrong with a password.
  }
}

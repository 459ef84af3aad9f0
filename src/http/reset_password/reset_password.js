// Takes the token from the link's fragment and trades it for a new password.
// Nothing is sent to the server with the token in it before the form is
// submitted: mail scanners open links, and must not use them up.

'use strict';

const RESET = `mutation ResetPassword($input: ResetPasswordInput!) {
  resetPassword(input: $input) { userErrors { field message code } }
}`;
const HINT = '{ server { passwordMinLength } }';
const INCOMPLETE =
  'This link is incomplete. Open the link from your e-mail again, or copy all of it into the address bar.';
const USED =
  'This link no longer works: it was used already, is too old, or a newer one was sent. ' +
  'Ask for a new link where you log in.';
// The change may have been made, and only its answer lost.
const NO_ANSWER =
  'The server could not be reached. Please try again. ' +
  'Should the link no longer work then, log in with the new password.';

const element = (id) => document.getElementById(id);
const form = element('form');
const submit = element('submit');
const notice = element('notice');
const newPassword = element('new-password');
const repeated = element('repeated');
let token = '';

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

function show(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

/** Ends here: what the form was for cannot be done, or is done. */
function finish(place, text) {
  token = '';
  form.reset();
  reveal();
  form.hidden = true;
  place.textContent = text;
  place.hidden = false;
  place.focus();
}

function mark(input, text) {
  element(`${input.id}-error`).textContent = text;
  if (text) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
}

function reveal() {
  const type = element('show').checked ? 'text' : 'password';
  newPassword.type = type;
  repeated.type = type;
}

async function graphql(query, variables) {
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

async function hint() {
  try {
    const { data } = await graphql(HINT);
    element('hint').textContent = `At least ${data.server.passwordMinLength} characters.`;
  } catch {
    // The form works without it: the server says what is wrong with a password.
  }
}

/** Puts each problem where it can be mended. */
function showProblems(errors) {
  const spent = errors.find((error) => error.code === 'INVALID_TOKEN' || error.field?.at(-1) === 'token');
  if (spent) {
    finish(notice, USED);
    return;
  }
  const ofPassword = errors.filter((error) => error.field?.at(-1) === 'newPassword');
  const others = errors.filter((error) => !ofPassword.includes(error));
  mark(newPassword, ofPassword.map((error) => error.message).join(' '));
  show(others.map((error) => error.message).join(' '));
  if (ofPassword.length > 0) newPassword.focus();
  else notice.focus();
}

async function change(event) {
  event.preventDefault();
  if (submit.disabled) return;
  show('');
  mark(newPassword, newPassword.value ? '' : 'Type a new password.');
  mark(repeated, newPassword.value === repeated.value ? '' : 'The two passwords differ.');
  const wrong = form.querySelector('[aria-invalid]');
  if (wrong) {
    wrong.focus();
    return;
  }
  submit.disabled = true;
  try {
    const { data, errors } = await graphql(RESET, { input: { token, newPassword: newPassword.value } });
    const problems = data?.resetPassword?.userErrors;
    if (problems?.length > 0) showProblems(problems);
    else if (problems && !errors) finish(element('done'), 'Your password is changed. You can log in now.');
    else throw new Error(errors?.map((error) => error.message).join(' '));
  } catch (error) {
    // A failed fetch and an answer that is no JSON have no words for the person at the form.
    const unreadable = error instanceof TypeError || error instanceof SyntaxError;
    show((!unreadable && error.message) || NO_ANSWER);
    notice.focus();
  } finally {
    submit.disabled = false;
  }
}

element('show').addEventListener('change', reveal);
form.addEventListener('submit', change);
window.addEventListener('hashchange', takeToken);
takeToken();
if (token) hint();

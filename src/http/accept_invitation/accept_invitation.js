// Trades the token of an invitation for an account.

import { element, hintAtPassword, mark, run } from '/mailed-link/mailed_link.js';

const username = element('username');
const password = element('password');
const repeated = element('repeated');

run({
  name: 'acceptInvitation',
  mutation: `mutation AcceptInvitation($input: AcceptInvitationInput!) {
    acceptInvitation(input: $input) { userErrors { field message code } }
  }`,
  texts: {
    done: 'Welcome to Muster. You can log in now.',
    spent:
      'This invitation no longer works: it was accepted already, taken back, is too old, or a newer one was sent. ' +
      'Ask whoever invited you for a new one.',
    // The account may have been made, and only the answer lost.
    noAnswer:
      'The server could not be reached. Please try again. ' +
      'Should the invitation no longer work then, log in with your new username and password.',
  },
  inputs: { username, password },
  check() {
    mark(username, username.value.trim() ? '' : 'Type a username.');
    mark(password, password.value ? '' : 'Type a password.');
    mark(repeated, password.value === repeated.value ? '' : 'The two passwords differ.');
  },
  read: () => ({ username: username.value, password: password.value }),
});
hintAtPassword([password, repeated]);

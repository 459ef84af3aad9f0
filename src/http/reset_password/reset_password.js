// Trades the token of a reset mail for a new password.

import { element, hintAtPassword, mark, run } from '/mailed-link/mailed_link.js';

const newPassword = element('new-password');
const repeated = element('repeated');

run({
  name: 'resetPassword',
  mutation: `mutation ResetPassword($input: ResetPasswordInput!) {
    resetPassword(input: $input) { userErrors { field message code } }
  }`,
  texts: {
    done: 'Your password is changed. You can log in now.',
    spent:
      'This link no longer works: it was used already, is too old, or a newer one was sent. ' +
      'Ask for a new link where you log in.',
    // The change may have been made, and only its answer lost.
    noAnswer:
      'The server could not be reached. Please try again. ' +
      'Should the link no longer work then, log in with the new password.',
  },
  inputs: { newPassword },
  check() {
    mark(newPassword, newPassword.value ? '' : 'Type a new password.');
    mark(repeated, newPassword.value === repeated.value ? '' : 'The two passwords differ.');
  },
  read: () => ({ newPassword: newPassword.value }),
});
hintAtPassword([newPassword, repeated]);

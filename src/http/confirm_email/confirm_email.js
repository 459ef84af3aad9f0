// Trades the token of a mail for a confirmed address, once the button is pressed.

import { run } from '/mailed-link/mailed_link.js';

run({
  name: 'confirmEmail',
  mutation: `mutation ConfirmEmail($input: ConfirmEmailInput!) {
    confirmEmail(input: $input) { userErrors { field message code } }
  }`,
  texts: {
    done: 'Your e-mail address is confirmed. You can close this page.',
    spent:
      'This link no longer works: it was used already, is too old, or a newer one was sent. ' +
      'If your address is not confirmed yet, log in and ask for a new link.',
    noAnswer: 'The server could not be reached. Please try again.',
  },
});

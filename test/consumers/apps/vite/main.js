// The app: what all apps share.
import "./read-digit.js";

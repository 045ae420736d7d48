// Every process of the product is killed under load, at named moments and at random: nothing is lost, nothing doubled,
// nothing sent without its record. Here the log is in PostgreSQL.
import { describeCampaigns } from './describe-campaigns.js';

describeCampaigns('postgres');

// The same with the log on three Kafka brokers, min ISR 2: the brokers die as well.
import { kafkaIsOffered } from '../support/kafka-cluster.js';
import { describeCampaigns } from './describe-campaigns.js';

if (!kafkaIsOffered) console.warn('CUSTOS_TEST_KAFKA is not set: crashes on Kafka were NOT tried');
describeCampaigns('kafka', kafkaIsOffered);
